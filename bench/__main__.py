"""Measure Colophon's list page beside its peers, and against itself as the catalogue grows."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from . import catalogues, hits, load, servers, tables
from .errors import BenchError, exit_code, say

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5
BUILD = servers.ROOT / "build" / "bench"


def between(low: int, high: int) -> Callable[[str], int]:
    """Return a type for argparse: a whole number in this range."""

    def number(text: str) -> int:
        if not (text.isdecimal() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"must be a whole number from {low} to {high}")
        return int(text)

    return number


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    seconds, connections = between(1, 60), between(1, 256)
    parser.add_argument("--seconds", type=seconds, default=3, help="of load in each of the five rounds (%(default)s)")
    parser.add_argument("--connections", type=connections, default=16, help="kept open at once (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there, too")
    given = parser.parse_args()
    if given.json and not given.json.absolute().parent.is_dir():
        parser.error(f"--json: there is no folder {given.json.absolute().parent}")
    return given


def throughput(targets: list[load.Target], seconds: int, connections: int) -> None:
    """Fill each target's samples, a round of all before the next, so that a busy moment of the machine hits all."""
    for target in targets:
        load.pages_per_second(target, 1, connections)
    for number in range(1, ROUNDS + 1):
        say(f"round {number} of {ROUNDS}, {len(targets) * seconds} s ...")
        for target in targets:
            target.samples.append(load.pages_per_second(target, seconds, connections))


def measure(given: argparse.Namespace, tools: servers.Tools) -> dict[str, object]:
    """Run everything, print the tables and return all that was measured."""
    files = {size: catalogues.prepare(BUILD, size, say) for size in catalogues.SIZES}
    say("starting the servers ...")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="colophon-bench-")))
        sites = {size: stack.enter_context(servers.colophon(file, folder)) for size, file in files.items()}
        # The load is of one address.
        limits = {"EDGE_CONNECTIONS": 0, "EDGE_REQUESTS_PER_SECOND": 0}
        edges = {size: stack.enter_context(servers.edge(site, folder, **limits)) for size, site in sites.items()}
        peers = {size: stack.enter_context(servers.django(file, folder)) for size, file in files.items()}
        pages = {size: load.fetch(site) for size, site in sites.items()}
        for size, peer in peers.items():
            load.require_same_books(pages[size], load.fetch(peer))
        nginx = stack.enter_context(servers.nginx(tools.nginx, pages, folder))
        targets = [
            target
            for size in catalogues.SIZES
            for target in (
                load.Target(tables.NGINX, size, nginx, f"/{size}", tools.wrk),
                load.Target(tables.EDGE, size, edges[size], load.LIST, tools.wrk),
                load.Target(tables.COLOPHON, size, sites[size], load.LIST, tools.wrk),
                load.Target(tables.UNASKED, size, sites[size], load.LIST, tools.wrk, unasked=True),
                load.Target(tables.DJANGO, size, peers[size], load.LIST, tools.wrk),
            )
        ]
        for target in targets:
            body = load.fetch(target.server, target.path).body
            target.bytes = len(body)
            if target.name in (tables.NGINX, tables.EDGE) and body != pages[target.size].body:
                raise BenchError(f"{target.server.name} does not serve the bytes that Colophon does.")
        throughput(targets, given.seconds, given.connections)
        how = f"medians of {ROUNDS} rounds of {given.seconds} s, {given.connections} connections"
        print(f"\n{about_the_machine(tools)}\n\n{tables.throughput(targets, how)}\n", flush=True)
        say("a kept page while the site is busy ...")
        size = catalogues.LARGE
        searched = {
            server: load.Target(server.name, size, server, hits.SEARCH, tools.wrk, unasked=True)
            for server in (edges[size], sites[size])
        }
        busy = [
            hits.measure(tables.NGINX, nginx, f"/{size}", searched[edges[size]], given.connections),
            hits.measure(tables.EDGE, edges[size], load.LIST, searched[edges[size]], given.connections),
            hits.measure(tables.COLOPHON, sites[size], load.LIST, searched[sites[size]], given.connections),
        ]
        how = f"{hits.RATE} requests a second, while {given.connections} connections send new searches"
        print(f"\n{tables.hits(busy, how)}\n", flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="colophon-bench-")))
        # One worker each, as each remembers for itself.
        sites = {size: stack.enter_context(servers.colophon(file, folder, workers=1)) for size, file in files.items()}
        say("one request at a time, for up to a minute ...")
        kinds = catalogues.kinds(files)
        load.latencies(kinds, sites, files)
        print(f"\n{tables.latencies(kinds)}", flush=True)
    return {
        "machine": about_the_machine(tools),
        "seconds": given.seconds,
        "connections": given.connections,
        "pages_per_second": [target.measured() for target in targets],
        "milliseconds_while_busy": [{"name": of.name, "hits": of.milliseconds, "searches": of.misses} for of in busy],
        "milliseconds": [kind.measured() for kind in kinds],
    }


def about_the_machine(tools: servers.Tools) -> str:
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("Flask", "Django", "gunicorn"))
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {packages}, {tools.nginx_version()}"


def main() -> int:
    given = options()

    def run() -> None:
        started = time.monotonic()
        measured = measure(given, servers.Tools.find())
        if given.json:
            given.json.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
        say(f"\ndone in {time.monotonic() - started:.0f} s")

    return exit_code(run)


sys.exit(main())
