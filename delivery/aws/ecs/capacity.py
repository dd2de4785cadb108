"""Room for one more task in the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from delivery.aws.context import Context
    from delivery.deployment.seam import Json


@dataclass(frozen=True)
class Room:
    """For how many more tasks there is room; `grows` when ECS adds instances by itself, `unbounded` on Fargate."""

    tasks: int
    sentence: str
    grows: bool = False
    unbounded: bool = False


def needs(definition: Json) -> tuple[int, int]:
    """Return the CPU units and the MiB that a task of this definition reserves on an instance.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html: the task's own numbers,
    else the sum of its containers'; of memory, what is reserved, else the limit.
    """
    containers = definition["containerDefinitions"]
    cpu = int(definition.get("cpu") or sum(each.get("cpu", 0) for each in containers))
    memory = sum(each.get("memoryReservation") or each.get("memory", 0) for each in containers)
    return cpu, int(definition.get("memory") or memory)


def room(context: Context, service: Json, definition: Json) -> Room:
    """Return the room that a cluster has for more tasks of this definition. Raises AwsError."""
    providers = [each["capacityProvider"] for each in service.get("capacityProviderStrategy", [])]
    if service.get("launchType") == "FARGATE" or any(name.startswith("FARGATE") for name in providers):
        return Room(0, "on Fargate, where there is always room", unbounded=True)
    cpu, memory = needs(definition)
    free = sum(_fits(instance, cpu, memory) for instance in _instances(context))
    if free:
        return Room(free, f"room for {free} more, of {cpu} CPU units and {memory} MiB")
    lack = f"No instance has {cpu} CPU units and {memory} MiB to spare"
    if providers and _grows(context, providers):
        return Room(0, f"{lack.lower()}; ECS will start one, which takes some minutes", grows=True)
    return Room(0, f"{lack}, so the rollout could not begin.")


def _instances(context: Context) -> list[Json]:
    name = context.names.project
    arns = context.aws.call("ecs", "list-container-instances", "--cluster", name, "--status", "ACTIVE")[
        "containerInstanceArns"
    ]
    found: list[Json] = []
    for start in range(0, len(arns), 100):  # as many as DescribeContainerInstances takes at once
        found += context.aws.call(
            "ecs",
            "describe-container-instances",
            "--cluster",
            name,
            "--container-instances",
            *arns[start : start + 100],
        )["containerInstances"]
    return [each for each in found if each["agentConnected"]]


def _fits(instance: Json, cpu: int, memory: int) -> int:
    left: dict[str, int] = {each["name"]: each.get("integerValue", 0) for each in instance["remainingResources"]}
    return max(0, min(left.get(name, 0) // max(need, 1) for name, need in (("CPU", cpu), ("MEMORY", memory))))


def _grows(context: Context, providers: list[str]) -> bool:
    found = context.aws.call("ecs", "describe-capacity-providers", "--capacity-providers", *providers)
    return any(
        each.get("autoScalingGroupProvider", {}).get("managedScaling", {}).get("status") == "ENABLED"
        for each in found["capacityProviders"]
    )
