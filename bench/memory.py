"""Measure the memory of the site's processes, as they are served and with nothing shared between them."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from . import load, servers, tables
from .errors import BenchError, ToolMissingError, exit_code, say

NO_PRELOAD = Path(__file__).with_name("no_preload.py")
PATHS = ("/books", "/", "/books?q=war", "/books?subject=novel", "/authors", "/subjects", "/colophon", "/api/v1/books")
ROUNDS = 50
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
    milliseconds: float

    def cells(self) -> list[str]:
        return [f"{size:.1f}" for size in (*self.megabytes, sum(self.megabytes))]


def taken(server: servers.Server) -> Taken:
    """Return what a server takes that has just started, and that is then visited."""
    started = time.perf_counter()
    load.fetch(server, PATHS[0])
    milliseconds = (time.perf_counter() - started) * 1000
    for _ in range(ROUNDS):
        for path in PATHS:
            load.fetch(server, path)  # each on a connection of its own, so that every worker gets its part
    first = server.process.pid
    workers = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii").split()
    return Taken([megabytes(process) for process in (first, *map(int, workers))], milliseconds)


def table(shared: Taken, unshared: Taken) -> str:
    """Return a line for each way of starting the site, and one for their ratio."""
    workers = [f"worker {number}" for number in range(1, len(shared.megabytes))]
    rows = [
        ["", "first process", *workers, "together", "first page"],
        ["as it is served", *shared.cells(), f"{shared.milliseconds:.0f} ms"],
        ["each for itself", *unshared.cells(), f"{unshared.milliseconds:.0f} ms"],
        [
            "ratio",
            *[""] * len(shared.megabytes),
            f"{sum(shared.megabytes) / sum(unshared.megabytes):.2f}",
            f"{shared.milliseconds / unshared.milliseconds:.2f}",
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
        say("once more, with nothing made before the workers are ...")
        with servers.colophon(database, folder, "--config", str(NO_PRELOAD), workers=workers) as server:
            unshared = taken(server)
    print(table(shared, unshared))


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/memory.py", description=__doc__)
    parser.add_argument("--workers", type=int, choices=range(1, 17), default=2, help="1 to 16 (%(default)s)")
    given = parser.parse_args()
    return exit_code(lambda: measure(given.workers))


sys.exit(main())
