"""Measure how long a visitor waits while others are slow: of the site alone, and of the edge at ten times as many."""

from __future__ import annotations

import math
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from . import attacks, catalogues, servers, tables
from .errors import BenchError, exit_code, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .servers import Server

WORKERS = 2
BOOKS = 30_000  # of which the list for search engines is larger than what the kernel keeps of an answer
PER_PROCESS = 15_000  # connections
# Milliseconds, below which a visitor's 99th percentile says more of the machine than of the attack.
NOISE = 20.0
MOST = 2.0  # times as long as usual
ATTEMPTS = 3  # of which one that is good will do, as others use the machine, too; but no visit goes unanswered
SITE = {
    "chunked": 48,
    "body": 32,
    "trickled-body": 32,
    "pipelined-body": 32,
    "silent": 200,
    "blank": 32,
    "head": 200,
    "pipelined-head": 32,
    "reader": 32,
    "pipelined-reader": 32,
    "idle": 200,
    "lingering": 32,
    "endless": 4,
}
EDGE = {name: 10 * number for name, number in SITE.items()} | {"silent": 22_000, "idle": 22_000}
# A site without an edge is not made for these.
UNPROMISED = ("reader", "pipelined-reader", "endless")


def attacked(server: Server, numbers: dict[str, int]) -> Iterator[tuple[str, list[str], float]]:
    """Attack a server; give each attack's name, its row of the table, and how many times as long a visitor waits."""
    paths = attacks.visited_paths(server.port)
    attacks.p99(server.port, paths)
    for name, number in numbers.items():
        for _ in range(ATTEMPTS):
            say(f"{server.name}: {number:,} x {name} ...")
            usual = attacks.p99(server.port, paths)
            with ExitStack() as stack:
                opened = [
                    stack.enter_context(attacks.under(name, server.port, min(number - start, PER_PROCESS)))
                    for start in range(0, number, PER_PROCESS)
                ]
                meanwhile = attacks.p99(server.port, paths)
            longer = max(meanwhile[path] / max(usual[path], NOISE) for path in paths)
            if longer <= MOST or longer == math.inf:
                break
        times = (f"{usual[path]:.1f} → {meanwhile[path]:.1f}" for path in paths)
        yield name, [name, f"{sum(opened):,}", *times], longer


def measure() -> None:
    attacks.allow_files()
    file = catalogues.prepare(servers.ROOT / "build" / "bench", BOOKS, say)
    waited = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="colophon-slow-")))
        site = stack.enter_context(servers.colophon(file, folder, workers=WORKERS))
        edge = stack.enter_context(servers.edge(site, folder))
        for server, numbers, unpromised in ((site, SITE, UNPROMISED), (edge, EDGE, ())):
            table = [[server.name, "connections", "a page", "a static file", "/healthz"]]
            for name, row, longer in attacked(server, numbers):
                table.append(row)
                if longer > MOST and name not in unpromised:
                    waited.append(f"{server.name}, {name}")
            print(
                f"Milliseconds of a visit, 99th percentile: usual → meanwhile\n\n{tables.aligned(table)}\n", flush=True
            )
    if waited:
        raise BenchError(f"A visitor waited more than {MOST:.0f} times as long as usual: {'; '.join(waited)}.")


sys.exit(exit_code(measure))
