"""The stages of a deployment on ECS, and of a task that starts, from AWS's answers. Pure functions: they make no calls.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from delivery.deployment.seam import Stage

if TYPE_CHECKING:
    from delivery.deployment.seam import Json

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
STARTING = ("PROVISIONING", "PENDING", "ACTIVATING")
# Of the earlier ones, and where ECS gives none, the tasks tell more.
LIFECYCLE = {
    "TEST_TRAFFIC_SHIFT": Stage.TEST,
    "POST_TEST_TRAFFIC_SHIFT": Stage.TEST,
    "PRE_PRODUCTION_TRAFFIC_SHIFT": Stage.SHIFT,
    "PRODUCTION_TRAFFIC_SHIFT": Stage.SHIFT,
    "POST_PRODUCTION_TRAFFIC_SHIFT": Stage.SHIFT,
    "BAKE_TIME": Stage.BAKE,
    "CLEAN_UP": Stage.BAKE,  # after it: what is left of the tasks before goes
}
NUMBERS = ("requestedTaskCount", "runningTaskCount", "pendingTaskCount", "requestedProductionTrafficWeight")


def of(deployment: Json, targets: list[Json], starting: list[Json]) -> Stage:
    """Return the stage of a service deployment, of a rollback that of the tasks that come back.

    `targets` are those of the load balancer, `starting` the new tasks that do not run yet. ECS says nothing of the bake
    of a rolling deployment but that the deployment goes on when all is done.
    """
    if found := LIFECYCLE.get(deployment.get("lifecycleStage", "")):
        return found
    coming, going = _revisions(deployment)
    if not all_run(deployment):
        return Stage.CAPACITY if any(map(waits_for_instance, starting)) else Stage.START
    states = [each["TargetHealth"]["State"] for each in targets]
    if states.count("healthy") < coming["requestedTaskCount"] or {*states} - {"healthy", "draining"}:
        return Stage.HEALTHY
    old = sum(each.get(name, 0) for each in going for name in NUMBERS[1:3])
    return Stage.SHIFT if old or "draining" in states else Stage.BAKE


def all_run(deployment: Json) -> bool:
    """Tell whether all tasks that a service deployment wants run."""
    coming, _ = _revisions(deployment)
    return bool(coming.get("runningTaskCount", 0) >= coming.get("requestedTaskCount", math.inf) > 0)


def counts(deployment: Json, targets: list[Json]) -> tuple[float, ...]:
    """Return the numbers of a service deployment in which its progress shows."""
    coming, going = _revisions(deployment)
    healthy = sum(each["TargetHealth"]["State"] == "healthy" for each in targets)
    return (healthy, *(each.get(name, 0) for each in (coming, *going) for name in NUMBERS))


def waits_for_instance(task: Json) -> bool:
    """Tell whether a task waits for an instance to be placed on, which its capacity provider starts."""
    fargate = any(str(task.get(key)).startswith("FARGATE") for key in ("launchType", "capacityProviderName"))
    return task["lastStatus"] == "PROVISIONING" and not task.get("containerInstanceArn") and not fargate


def waits_for_interface(task: Json) -> bool:
    """Tell whether a task waits for its network interface."""
    states = [each["status"] for each in task.get("attachments", []) if each.get("type") == "ElasticNetworkInterface"]
    return task["lastStatus"] == "PROVISIONING" and any(state != "ATTACHED" for state in states)


def _revisions(deployment: Json) -> tuple[Json, list[Json]]:
    """Return the service revision whose tasks come, and those whose tasks go."""
    target, sources = deployment.get("targetServiceRevision", {}), deployment.get("sourceServiceRevisions", [])
    back = deployment.get("rollback", {}).get("serviceRevisionArn")
    found = next((each for each in sources if each["arn"] == back), None)
    return (found, [target, *(each for each in sources if each is not found)]) if found else (target, sources)
