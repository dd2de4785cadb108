"""A visitor that loads the site again and again during a deployment, and counts."""

from __future__ import annotations

import math
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from delivery.deployment.seam import Json

TIMEOUT = 10.0  # seconds after which a visitor gives up
EXAMPLES = 5


@dataclass
class Tally:
    """The figures of the visits so far."""

    milliseconds: list[float] = field(default_factory=list)
    failed: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def p95(self) -> float | None:
        """The milliseconds that 95 of 100 visits did not exceed, by the nearest rank. None without any visit."""
        times = sorted(self.milliseconds)
        return times[math.ceil(0.95 * len(times)) - 1] if times else None

    def text(self) -> str:
        """Return it as people read it."""
        p95 = f", 95 % within {self.p95:.0f} ms" if self.p95 is not None else ""
        return f"visitor: {len(self.milliseconds)} requests, {self.failed} failed{p95}"

    def as_json(self) -> Json:
        """Return it as it stands on the receipt."""
        return {
            "requests": len(self.milliseconds),
            "failed": self.failed,
            "p95_ms": None if self.p95 is None else round(self.p95, 1),
            "failures": self.failures,
        }


class Meter:
    """Loads a URL from a background thread while it is entered, at most once in `every` seconds.

    Each request is on a connection of its own, as a new visitor's. A failure is no answer within ten seconds, or a
    status from 400 up. Without a URL it counts nothing.
    """

    def __init__(self, url: str | None, every: float) -> None:
        self._url, self._every = url, every
        self._tally, self._lock = Tally(), threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._visit, name="visitor", daemon=True)

    def __enter__(self) -> Meter:
        if self._url:
            self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(TIMEOUT + 1)

    def tally(self) -> Tally | None:
        """Return the figures so far, None without a URL."""
        if not self._url:
            return None
        with self._lock:
            return Tally(list(self._tally.milliseconds), self._tally.failed, list(self._tally.failures))

    def _visit(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            failure = request_failure(f"{self._url}/")
            took = time.monotonic() - began
            with self._lock:
                self._tally.milliseconds.append(took * 1000)
                if failure:
                    self._tally.failed += 1
                    if len(self._tally.failures) < EXAMPLES:
                        self._tally.failures.append(f"{datetime.now(UTC):%H:%M:%S} {failure}")
            self._stop.wait(max(0.0, self._every - took))


def request_failure(url: str) -> str | None:
    """Load a URL and return what went wrong, None for nothing."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310 -- the site's own address
            answer.read()
    except urllib.error.HTTPError as error:
        return f"answered {error.code}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None
