"""The load: many connections at once by wrk, and one request at a time by http.client."""

from __future__ import annotations

import http.client
import re
import statistics
import subprocess
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .catalogues import forget
from .errors import BenchError
from .servers import HOST, Page

if TYPE_CHECKING:
    from .catalogues import Kind
    from .servers import Server

LIST = "/books"
UNASKED = Path(__file__).with_name("unasked.lua")
OPENING = "/healthz"  # asks the database nothing
PLAIN = {"Accept-Encoding": "identity"}
LATENCY_ROUNDS = 10
FEWEST_ROUNDS = 3
REPEATS = 10
LATENCY_SECONDS = 50
REMEMBERED = 0.6  # seconds after which the site has noticed a change (src/colophon/web/kept.py)


@dataclass
class Target:
    """A page of one server, and the pages per second of each round."""

    name: str
    size: int
    server: Server
    path: str
    wrk: str
    unasked: bool = False  # whether each request is for an address of its own
    bytes: int = 0
    samples: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    def measured(self) -> dict[str, object]:
        return {"name": self.name, "books": self.size, "bytes": self.bytes, "rounds": self.samples}


def fetch(server: Server, path: str = LIST) -> Page:
    """Return a page. Raises BenchError unless it is answered by 200, uncompressed."""
    with closing(http.client.HTTPConnection(HOST, server.port, timeout=60)) as connection:
        return _get(connection, server.name, path)


def pages_per_second(target: Target, seconds: int, connections: int) -> float:
    """Return how many pages a second a server gives so many visitors. Raises BenchError when it fails any of them."""
    url = f"http://{HOST}:{target.server.port}{target.path}"
    threads, kept = "--threads=1", f"--connections={connections}"
    command = [target.wrk, threads, kept, f"--duration={seconds}s", "--header=Accept-Encoding: identity", url]
    if target.unasked:
        command += ["--script", str(UNASKED)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    rate = re.search(r"^Requests/sec: +([\d.]+)$", run.stdout, re.MULTILINE)
    failed = re.search(r"^ *((?:Non-2xx|Socket errors).*)$", run.stdout, re.MULTILINE)
    if run.returncode or failed or not rate or not float(rate[1]):
        what = failed[1] if failed else (run.stderr or run.stdout).strip()
        raise BenchError(f"{target.server.name} failed under load at {target.size:,} books: {what}.")
    return float(rate[1])


def require_same_books(ours: Page, theirs: Page) -> None:
    """Raise BenchError unless two pages list the same books in the same order."""
    if _books(ours) != _books(theirs) or not _books(ours):
        raise BenchError("The Django peer lists other books than Colophon, so their speeds cannot be compared.")


def latencies(kinds: list[Kind], sites: dict[int, Server], files: dict[int, Path]) -> None:
    """Fill each kind's milliseconds, for the first request after a change of the catalogue and for later ones.

    Sizes and kinds take turns in every round; the rounds end early when they take long.
    """
    started = time.monotonic()
    for number in range(LATENCY_ROUNDS):
        if number >= FEWEST_ROUNDS and time.monotonic() - started > LATENCY_SECONDS:
            break
        for file in files.values():
            forget(file, uuid.uuid4().hex)
        time.sleep(REMEMBERED)
        for kind in kinds:
            for size, path in kind.paths.items():
                times = _times(sites[size], path)
                kind.first[size].append(times[0])
                kind.repeated[size] += times[1:]


def _times(site: Server, path: str) -> list[float]:
    """Return the milliseconds of each of some requests on one connection, whose opening is not counted."""
    with closing(http.client.HTTPConnection(HOST, site.port, timeout=60)) as connection:
        _get(connection, site.name, OPENING)
        return [_milliseconds(connection, site.name, path) for _ in range(1 + REPEATS)]


def _milliseconds(connection: http.client.HTTPConnection, name: str, path: str) -> float:
    started = time.perf_counter()
    _get(connection, name, path)
    return (time.perf_counter() - started) * 1000


def _get(connection: http.client.HTTPConnection, name: str, path: str) -> Page:
    try:
        connection.request("GET", path, headers=PLAIN)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"{name} did not answer {path}: {error!r}.") from None
    if response.status != 200 or response.getheader("Content-Encoding"):
        encoding = response.getheader("Content-Encoding", "plain")
        raise BenchError(f"{name} answered {path} by {response.status}, {encoding}, in place of 200, plain.")
    return Page(response.getheaders(), body)


def _books(page: Page) -> list[bytes]:
    return list(dict.fromkeys(re.findall(rb'href="/books/([^"/?]+)"', page.body)))
