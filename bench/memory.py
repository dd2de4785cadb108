"""Measure the memory of the site's processes, as they are served and with nothing shared between them."""

from __future__ import annotations

import argparse
import http.client
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from . import load, servers, tables
from .errors import BenchError, ToolMissingError, exit_code, say

if TYPE_CHECKING:
    from collections.abc import Callable

NO_PRELOAD = Path(__file__).with_name("no_preload.py")
PATHS = ("/books", "/", "/books?q=war", "/books?subject=novel", "/authors", "/subjects", "/colophon", "/api/v1/books")
ROUNDS = 50
SEARCHES = 2000
WORDS = ("war", "love", "night", "house", "sea", "letters", "king", "history", "dream", "world", "city", "father")
_SHARE = re.compile(r"^Pss: +(\d+) kB$", re.MULTILINE)


def megabytes(process: int) -> float:
    """Return a process's share of memory: what it has alone, and its part of each page that others have, too."""
    found = _SHARE.search(Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii"))
    if not found:
        raise BenchError(f"Linux says nothing of the memory of process {process}.")
    return int(found[1]) * 1024 / 1e6


@dataclass
class Taken:
    """The costs of a server: megabytes of its first process and of each worker, and milliseconds of its first page."""

    megabytes: list[float]
    milliseconds: float | None = None

    def cells(self) -> list[str]:
        first_page = "" if self.milliseconds is None else f"{self.milliseconds:.0f} ms"
        return [*(f"{size:.1f}" for size in (*self.megabytes, sum(self.megabytes))), first_page]


def taken(server: servers.Server) -> Taken:
    """Return what a server takes that has just started, and that is then visited."""
    started = time.perf_counter()
    load.fetch(server, PATHS[0])
    milliseconds = (time.perf_counter() - started) * 1000
    for _ in range(ROUNDS):
        for path in PATHS:
            load.fetch(server, path)  # each on a connection of its own, so that every worker gets its part
    return Taken(_megabytes_of(server), milliseconds)


def _megabytes_of(server: servers.Server) -> list[float]:
    first = server.process.pid
    workers = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii").split()
    return [megabytes(process) for process in (first, *map(int, workers))]


def ordinary(number: int) -> str:
    """Return one of 144 searches that find books, at an address of its own."""
    one, other = WORDS[number % len(WORDS)], WORDS[number // len(WORDS) % len(WORDS)]
    return f"/books?q={one}+{other}&number={number}"


def hostile(number: int) -> str:
    """Return a search whose page takes four bytes a character, at an address of 7 kB."""
    return f"/books?q={quote(f'😀 {number}')}&x={'y' * 7000}"


def searched(server: servers.Server, address: Callable[[int], str]) -> Taken:
    """Return what a server takes after searches by eight visitors at once, as browsers send them."""

    def search(number: int) -> None:
        with closing(http.client.HTTPConnection(servers.HOST, server.port, timeout=60)) as connection:
            connection.request("GET", address(number), headers={"Accept-Encoding": "gzip"})
            connection.getresponse().read()

    with ThreadPoolExecutor(8) as visitors:
        list(visitors.map(search, range(SEARCHES)))
    return Taken(_megabytes_of(server))


def table(shared: Taken, filled: dict[str, Taken], unshared: Taken) -> str:
    """Return a line for each way of starting and of visiting the site, and one for the ratio of the ways to start."""
    workers = [f"worker {number}" for number in range(1, len(shared.megabytes))]
    rows = [
        ["", "first process", *workers, "together", "first page"],
        ["as it is served", *shared.cells()],
        *([name, *taken.cells()] for name, taken in filled.items()),
        ["each for itself", *unshared.cells()],
        [
            "ratio",
            *[""] * len(shared.megabytes),
            f"{sum(shared.megabytes) / sum(unshared.megabytes):.2f}",
            f"{(shared.milliseconds or 0) / (unshared.milliseconds or 1):.2f}",
        ],
    ]
    title = f"Megabytes (PSS) after {ROUNDS * len(PATHS)} requests, and the time of the first one for {PATHS[0]}"
    return f"{title}\n\n{tables.aligned(rows)}"


def measure(workers: int) -> None:
    if not Path("/proc/self/smaps_rollup").exists():
        raise ToolMissingError("memory is measured by /proc/PID/smaps_rollup, which only Linux has.")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="colophon-memory-")))
        database = folder / "colophon.db"
        say("starting the site, and visiting it ...")
        with servers.make_run(database, folder, workers) as server:
            shared = taken(server)
            say(f"searching it {2 * SEARCHES:,} times ...")
            filled = {
                f"after {SEARCHES:,} searches more": searched(server, ordinary),
                f"after {SEARCHES:,} hostile ones": searched(server, hostile),
            }
        say("once more, with nothing made before the workers are ...")
        with servers.colophon(database, folder, "--config", str(NO_PRELOAD), workers=workers) as server:
            unshared = taken(server)
    print(table(shared, filled, unshared))


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/memory.py", description=__doc__)
    parser.add_argument("--workers", type=int, choices=range(1, 17), default=2, help="1 to 16 (%(default)s)")
    given = parser.parse_args()
    return exit_code(lambda: measure(given.workers))


sys.exit(main())
