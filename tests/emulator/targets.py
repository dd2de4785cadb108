"""The targets of load balancers: probed as an Application Load Balancer does, drained before they go.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
"""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .pace import Pace


class Check(NamedTuple):
    """The health check of a target group. Times in seconds, as AWS counts them."""

    path: str = "/"
    interval: float = 30.0
    timeout: float = 5.0
    healthy: int = 5
    unhealthy: int = 2
    codes: frozenset[int] = frozenset({200})
    port: int | None = None  # None: the traffic port
    drain: float = 300.0


def codes(matcher: str) -> frozenset[int]:
    """Return the status codes that a matcher such as `200,301-302` accepts."""
    found: set[int] = set()
    for part in matcher.split(","):
        first, _, last = part.strip().partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


REGISTERING, DRAINING = "Elb.RegistrationInProgress", "Target.DeregistrationInProgress"
MISMATCH, TIMEOUT, FAILED = "Target.ResponseCodeMismatch", "Target.Timeout", "Target.FailedHealthChecks"


@dataclass(eq=False)
class Target:
    """A target. `id` and `port` are its name in the API, `host` and `at` the address that it listens at."""

    group: str  # the ARN of its target group
    id: str
    port: int
    host: str
    at: int
    name: str = "initial"  # of its state
    reason: str = REGISTERING
    description: str = "Target registration is in progress"
    streak: int = 0  # of equal results: positive of good ones, negative of bad ones
    until: float = 0.0  # when it has drained
    probing: asyncio.Task[None] | None = None

    def note(self, check: Check, failure: tuple[str, str] | None) -> None:
        """Record the result of one check. One good one makes a new target healthy; see the page above."""
        if self.name == "draining":
            return
        self.streak = min(self.streak, 0) - 1 if failure else max(self.streak, 0) + 1
        if failure and (self.name == "unhealthy" or -self.streak >= check.unhealthy):
            self.name, self.reason, self.description = "unhealthy", *failure
        elif not failure and (self.name in ("initial", "healthy") or self.streak >= check.healthy):
            self.name, self.reason, self.description = "healthy", "", ""


class Targets:
    """All targets, checked in a loop; `check_of` returns the check of a target group by its ARN."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pace: Pace, check_of: Callable[[str], Check | None]) -> None:
        self._loop = loop
        self._pace = pace
        self._check_of = check_of
        self._known: dict[tuple[str, str, int], Target] = {}
        self._turns = itertools.count()

    def add(self, group: str, identifier: str, port: int, host: str, at: int) -> Target:
        """Register a target, and check it from now on."""
        target = Target(group, identifier, port, host, at)
        self._known[group, identifier, port] = target
        self._loop.call_soon_threadsafe(self._begin, target)
        return target

    def drain(self, target: Target) -> float:
        """Deregister a target: no new request goes to it. Return the seconds until it is gone."""
        check = self._check_of(target.group)
        delay = self._pace.drain(check.drain if check else 0.0)
        target.name, target.reason = "draining", DRAINING
        target.description = "Target deregistration is in progress"
        target.until = time.monotonic() + delay
        return delay

    def of(self, group: str) -> list[Target]:
        """Return the targets of a group, those that drain included."""
        now = time.monotonic()
        for key, target in list(self._known.items()):
            if target.name == "draining" and target.until <= now:
                self._known.pop(key, None)
        return [target for target in list(self._known.values()) if target.group == group]

    def find(self, group: str, identifier: str, port: int) -> Target | None:
        return self._known.get((group, identifier, port))

    def usable(self, group: str) -> Iterator[Target]:
        """Yield the targets that may get a request, in turn: the healthy ones.

        Where every registered target is unhealthy, all of them: a load balancer then fails open.
        """
        registered = [target for target in self.of(group) if target.name != "draining"]
        healthy = [target for target in registered if target.name == "healthy"]
        if not healthy and all(target.name == "unhealthy" for target in registered):
            healthy = registered
        turn = next(self._turns)
        return (healthy[(turn + i) % len(healthy)] for i in range(len(healthy)))

    def _begin(self, target: Target) -> None:
        target.probing = self._loop.create_task(self._probe(target))

    async def _probe(self, target: Target) -> None:
        while target.name != "draining" and self._known.get((target.group, target.id, target.port)) is target:
            check = self._check_of(target.group)
            if check is None:
                return
            target.note(check, await probe(target.host, check.port or target.at, check))
            await asyncio.sleep(self._pace.interval(check.interval))


async def probe(host: str, port: int, check: Check) -> tuple[str, str] | None:
    """Check a target once. Return None when it is healthy, else AWS's code and sentence for the failure."""
    try:
        async with asyncio.timeout(check.timeout):
            status = await _status(host, port, check.path)
    except TimeoutError:
        return TIMEOUT, "Request timed out"
    except (OSError, ValueError, EOFError):
        return FAILED, "Health checks failed"
    if status not in check.codes:
        return MISMATCH, f"Health checks failed with these codes: [{status}]"
    return None


async def _status(host: str, port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
            "User-Agent: ELB-HealthChecker/2.0\r\nAccept-Encoding: gzip, compressed\r\n\r\n".encode()
        )
        line = (await reader.readuntil(b"\r\n")).split(b" ", 2)
        if not line[0].startswith(b"HTTP/1."):
            raise ValueError("not HTTP")
        await reader.read()
        return int(line[1])
    finally:
        writer.close()
