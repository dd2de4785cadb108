"""The order of a task's containers: at its start as `dependsOn` says, at its stop reversed. Nothing is started here.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html. A container whose dependency can
no longer be had ends as in ECS's agent: https://github.com/aws/amazon-ecs-agent/tree/master/agent/engine/dependencygraph.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model import Container, Json, Task

GRAPH = "dependency graph: "
COMPLETED = ("COMPLETE", "SUCCESS")


class NeverError(Exception):
    """A dependency can no longer be had. The message is the agent's."""


def of(definition: Json) -> dict[str, str]:
    """Return the names of the containers that one depends on, and the condition of each."""
    return {each["containerName"]: each["condition"] for each in definition.get("dependsOn") or []}


def resolved(task: Task, container: Container) -> bool:
    """Tell whether a container may start by now. Raises NeverError when it never will."""
    others = {other.name: other for other in task.containers}
    met = [_met(container, others[name], condition) for name, condition in of(container.definition).items()]
    return all(met)


def _met(container: Container, other: Container, condition: str) -> bool:
    pair = f"container ordering dependency [{other.name}] for target [{container.name}]"
    if other.status == "STOPPED":
        # Of one that has run, the agent has no such words; it stops the task, as no container can be started any more.
        if condition not in COMPLETED or not other.started:
            raise NeverError(f"{GRAPH}failed to resolve {pair} because dependency will never start")
        if condition == "SUCCESS" and other.exit_code != 0:
            raise NeverError(f"{GRAPH}failed to resolve {pair} as dependency did not exit successfully.")
        return True
    if condition == "START" or (condition == "HEALTHY" and other.health == "HEALTHY"):
        return other.status == "RUNNING"
    within = float(other.definition.get("startTimeout") or 0)
    if other.started and within and time.time() > other.started + within:
        raise NeverError(f"{GRAPH}{pair} has timed out.")
    return False


def dependents(task: Task, container: Container) -> list[Container]:
    """Return the containers that must have stopped before one is stopped: those that depend on it."""
    return [other for other in task.containers if container.name in of(other.definition)]


def refusal(containers: Iterable[Json]) -> str:
    """Return why ECS does not register these container definitions, "" if it does."""
    known = {each["name"]: each for each in containers}
    for each in known.values():
        for name, condition in of(each).items():
            if name not in known:
                return f"Cannot depend on container + '{name}' because it does not exist"
            if condition in COMPLETED and known[name].get("essential", True):
                return "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"
    left = set(known)
    while free := {name for name in left if not left & of(known[name]).keys()}:
        left -= free
    return f"The dependencies of the containers {', '.join(sorted(left))} form a cycle." if left else ""
