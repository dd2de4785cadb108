"""A rollout as people read it: a line for the whole, and one for each task definition that has tasks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from delivery.aws.ecs import task_definition

if TYPE_CHECKING:
    from delivery.aws.ecs.diagnosis import Evidence


def lines(evidence: Evidence) -> list[str]:
    """Return how a rollout stands."""
    targets = Counter(each["TargetHealth"]["State"] for each in evidence.seen)
    states = ", ".join(f"{count} {state}" for state, count in sorted(targets.items())) or "none"
    found = [f"{evidence.deployment.get('status', 'PENDING')}, targets: {states}"]
    for each in evidence.service.get("deployments", []):
        name = task_definition.revision(each["taskDefinition"])
        found.append(
            f"{name}: {each['runningCount']} of {each['desiredCount']} running, {each['pendingCount']} pending, "
            f"{each.get('failedTasks', 0)} failed"
        )
    return found
