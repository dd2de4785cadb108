"""The decisions of the service scheduler, as pure functions; nothing is started or stopped here."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Json, Service, Task


@dataclass
class Plan:
    """The number of tasks of the newest deployment to start, and the tasks to stop."""

    start: int = 0
    stop: list[Task] = field(default_factory=list)


def limits(configuration: Json, desired: int) -> tuple[int, int]:
    """Return the least number of healthy tasks, and the greatest number of running ones.

    The lower limit is rounded up and the upper one down:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
    """
    least = configuration.get("minimumHealthyPercent")
    most = configuration.get("maximumPercent")
    return (
        math.ceil(desired * int(100 if least is None else least) / 100),
        math.floor(desired * int(200 if most is None else most) / 100),
    )


def threshold(breaker: Json, desired: int) -> int:
    """Return the number of failed tasks at which the circuit breaker opens.

    Half of the desired tasks, but at least 3 and at most 200, unless the service says otherwise:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
    """
    configured = breaker.get("thresholdConfiguration") or {}
    kind, value = configured.get("type", "BOUNDED_PERCENT"), float(configured.get("value", 50))
    if kind == "COUNT":
        return max(1, int(value))
    share = math.ceil(desired * value / 100)
    return max(1, share) if kind == "UNBOUNDED_PERCENT" else min(200, max(3, share))


def plan(service: Service, tasks: list[Task]) -> Plan:
    """Return the next step towards a service's newest deployment, within its limits.

    `tasks` are those of the service that have not stopped. Tasks of older deployments go one by one, as new ones become
    healthy; unhealthy ones go first.
    """
    wanted = [task for task in tasks if task.wanted]
    new = [task for task in wanted if task.deployment is service.primary]
    old = [task for task in wanted if task.deployment is not service.primary]
    if service.desired == 0:
        return Plan(stop=wanted)

    least, most = limits(service.configuration, service.desired)
    missing = max(0, service.desired - len(new))
    # An unhealthy old task only takes up room.
    stop = [task for task in old if not task.healthy]
    room = max(0, most - len(wanted) + len(stop))
    healthy = sum(task.healthy for task in wanted)
    kept = service.desired if room >= missing else least
    for task in (task for task in old if task.healthy):
        if healthy <= kept:
            break
        stop.append(task)
        healthy -= 1
    # Of too many new tasks, the unhealthy ones go first, then the youngest.
    ranked = sorted(new, key=lambda task: (task.healthy, -task.times["createdAt"]))
    stop += ranked[: max(0, len(new) - service.desired)]
    start = 0 if service.primary.state == "FAILED" else min(missing, room)
    return Plan(start, stop)


def baked(service: Service, seconds: float, now: float) -> bool:
    """Return True if the newest deployment, whose tasks are all there, has no bake or is at its end.

    ECS goes on watching the alarms of the deployment then, for a time that it computes from them:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
    """
    release = service.primary.release
    if not release.watches or release.rollback:
        return True
    if release.baking is None:
        release.baking = now
    return now - release.baking >= seconds


def finished(service: Service, tasks: list[Task]) -> bool:
    """Return True if the newest deployment has all its tasks, all healthy, and no other task is left."""
    new = [task for task in tasks if task.deployment is service.primary and task.wanted]
    return len(tasks) == len(new) == service.desired and all(task.healthy for task in new)
