"""The pace of AWS's own waits. A container's own time, such as its start and its stop, is never shortened."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """AWS's waits in seconds, divided by `factor`, but never shorter than the machine can keep up with."""

    factor: float = 10.0

    def interval(self, seconds: float) -> float:
        """Return the time between two health checks of a load balancer."""
        return max(0.3, seconds / self.factor)

    def container_interval(self, seconds: float) -> float:
        """Return the time between two health checks inside a container, each of which starts a process there."""
        return max(min(3.0, seconds), seconds / self.factor)

    def boot(self, seconds: float) -> float:
        """Return the time until an instance joins its cluster."""
        return seconds / self.factor

    def bake(self, seconds: float) -> float:
        """Return a bake time, shortened the more, as nothing but alarms happens in it."""
        return seconds / self.factor**2

    def drain(self, seconds: float) -> float:
        """Return a deregistration delay."""
        return seconds / self.factor

    def grace(self, seconds: float) -> float:
        """Return a grace period or a start period, shortened less, as a container starts in its own time during it."""
        return seconds / max(1.0, self.factor / 4)
