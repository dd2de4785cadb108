"""Visitors: a steady, bounded load on a site of this machine while it is replaced, and a report of their requests."""

from __future__ import annotations

import http.client
import ipaddress
import itertools
import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FASTEST = 500.0  # requests per second, all visitors together
LONGEST = 1800.0  # seconds
PATIENCE = 15.0  # seconds that a visitor waits for an answer


class Failure(NamedTuple):
    """A request that no visitor should have to make twice. Times in seconds; `at` since the visitors came."""

    at: float
    seconds: float
    path: str
    reason: str


class Sight(NamedTuple):
    """The first and the last time that something was seen, in seconds since the visitors came, and how often."""

    first: float
    last: float
    times: int


@dataclass
class Report:
    """The visitors' requests so far. Times in seconds."""

    seconds: float
    requests: int
    failures: list[Failure]
    p50: float
    p95: float
    slowest: float
    seen: dict[str, Sight] = field(default_factory=dict)

    @property
    def reasons(self) -> Counter[str]:
        return Counter(failure.reason for failure in self.failures)


def loopback(host: str) -> bool:
    """Return True if a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Visitors:
    """Visitors of the site at `url`, who come when a `with` block begins and leave at its end.

    They make `rate` requests per second, going through `paths`, and stop by themselves after `seconds`. Half of them
    keep their connection, half open one for each request. Only an answer with a status in `expected` is a good one;
    `identify` names what answered, from the headers (in small letters) and the body of a good answer. Raises
    ValueError for a site that is not on this machine's loopback address, and for more load than this is meant for.
    """

    def __init__(
        self,
        url: str,
        *,
        rate: float = 50.0,
        seconds: float = 600.0,
        visitors: int = 8,
        paths: Sequence[str] = ("/",),
        expected: Sequence[int] = (200,),
        identify: Callable[[dict[str, str], bytes], str] | None = None,
    ) -> None:
        stated = urlsplit(url)
        if stated.scheme != "http" or not stated.hostname or not loopback(stated.hostname):
            raise ValueError(f"visitors go to http://127.0.0.1 only, not to {url}")
        if not 0 < rate <= FASTEST or not 0 < seconds <= LONGEST or visitors < 1:
            raise ValueError(f"visitors make at most {FASTEST:g} requests per second for {LONGEST:g} seconds")
        self._host, self._port = stated.hostname, stated.port or 80
        self._paths = itertools.cycle(paths)
        self._pause = visitors / rate
        self._expected = frozenset(expected)
        self._identify = identify
        self._lock = threading.Lock()
        self._times: list[float] = []
        self._failures: list[Failure] = []
        self._seen: dict[str, Sight] = {}
        self._leaving = threading.Event()
        self._began = 0.0
        self._ended: float | None = None
        self._limit = seconds
        thread = partial(threading.Thread, target=self._visit, daemon=True)
        self._threads = [thread(args=(number,), name=f"visitor-{number}") for number in range(visitors)]

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        for thread in self._threads:
            thread.join()
        self._ended = time.monotonic()

    def report(self) -> Report:
        """Return a report of the requests so far."""
        with self._lock:
            times, failures, seen = sorted(self._times), sorted(self._failures), dict(self._seen)
        shares = statistics.quantiles(times, n=20, method="inclusive") if len(times) > 1 else (times or [0.0]) * 19
        seconds, slowest = (self._ended or time.monotonic()) - self._began, times[-1] if times else 0.0
        return Report(seconds, len(times), failures, shares[9], shares[18], slowest, seen)

    def _visit(self, number: int) -> None:
        keeps = number % 2 == 0
        connection = http.client.HTTPConnection(self._host, self._port, timeout=PATIENCE)
        due = self._began + self._pause * number / len(self._threads)
        while not self._leaving.wait(max(0.0, due - time.monotonic())) and time.monotonic() - self._began < self._limit:
            # Visitors that had to wait make no faster requests afterwards.
            due = max(due + self._pause, time.monotonic())
            self._request(connection)
            if not keeps:
                connection.close()
        connection.close()

    def _request(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            path = next(self._paths)
        began, name, reason = time.monotonic(), "", ""
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status not in self._expected:
                reason = f"{answer.status} {answer.reason}"
            elif self._identify:
                name = self._identify({key.lower(): value for key, value in answer.getheaders()}, body)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
        now = time.monotonic()
        at = began - self._began
        with self._lock:
            self._times.append(now - began)
            if reason:
                self._failures.append(Failure(at, now - began, path, reason))
            elif name:
                before = self._seen.get(name, Sight(at, at, 0))
                self._seen[name] = Sight(before.first, max(before.last, at), before.times + 1)
