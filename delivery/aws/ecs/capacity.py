"""Room for one more task in the cluster: CPU, memory, and network interfaces of its instances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from delivery.aws.context import Context
    from delivery.deployment.seam import Json

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html
TYPE, TRUNK = "ecs.instance-type", "ecs.awsvpc-trunk-id"


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
    else the sum of its containers'; of memory, what is reserved, else the limit. File systems in memory come on top:
    https://github.com/aws/amazon-ecs-agent/blob/85b4254fa08f8e0c6ad6d1126d61714063496576/proposals/shmsize-tmpfs.md.
    """
    containers = definition["containerDefinitions"]
    cpu = int(definition.get("cpu") or sum(each.get("cpu", 0) for each in containers))
    return cpu, int(definition.get("memory") or sum(map(_memory, containers)))


def _memory(container: Json) -> int:
    linux = container.get("linuxParameters", {})
    in_memory = linux.get("sharedMemorySize", 0) + sum(each["size"] for each in linux.get("tmpfs", []))
    return int(container.get("memoryReservation") or container.get("memory", 0)) + int(in_memory)


def room(context: Context, service: Json, definition: Json) -> Room:
    """Return the room that a cluster has for more tasks of this definition. Raises AwsError."""
    providers = [each["capacityProvider"] for each in service.get("capacityProviderStrategy", [])]
    if service.get("launchType") == "FARGATE" or any(name.startswith("FARGATE") for name in providers):
        return Room(0, "on Fargate, where there is always room", unbounded=True)
    cpu, memory = needs(definition)
    instances = _instances(context)
    each, own = f"{cpu} CPU units and {memory} MiB", definition.get("networkMode") == "awsvpc"
    interfaces = _interfaces(context, instances) if own else {}
    free = sum(_fits(instance, cpu, memory, interfaces) for instance in instances)
    if free:
        return Room(free, f"room for {free} more, of {each}{', with a network interface each' if interfaces else ''}")
    if any(_fits(instance, cpu, memory, {}) for instance in instances):
        each += ", and a network interface,"
    lack = f"No instance has {each} to spare"
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


def _fits(instance: Json, cpu: int, memory: int, interfaces: dict[str, int]) -> int:
    """Return for how many tasks an instance has room; `interfaces` are those that each kind of instance takes."""
    left: dict[str, int] = {each["name"]: each.get("integerValue", 0) for each in instance["remainingResources"]}
    room = [left.get(name, 0) // max(need, 1) for name, need in (("CPU", cpu), ("MEMORY", memory))]
    if (most := interfaces.get(_attribute(instance, TYPE))) is not None and not _attribute(instance, TRUNK):
        # One is the instance's own. ECS promises no list of those that tasks have, but counts the tasks.
        room.append(most - 1 - instance.get("runningTasksCount", 0) - instance.get("pendingTasksCount", 0))
    return max(0, min(room))


def _interfaces(context: Context, instances: list[Json]) -> dict[str, int]:
    """Return how many network interfaces each kind of instance takes, of those that are there.

    ECS knows the kind of an instance but not this number, and no API knows that of an instance with a trunk.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-eni.html
    """
    kinds = sorted({_attribute(each, TYPE) for each in instances if not _attribute(each, TRUNK)} - {""})
    if not kinds:
        return {}
    found = context.aws.call("ec2", "describe-instance-types", instance_types=kinds)["InstanceTypes"]
    return {each["InstanceType"]: each["NetworkInfo"]["MaximumNetworkInterfaces"] for each in found}


def _attribute(instance: Json, name: str) -> str:
    return next((each.get("value", "") for each in instance.get("attributes", []) if each["name"] == name), "")


def _grows(context: Context, providers: list[str]) -> bool:
    found = context.aws.call("ecs", "describe-capacity-providers", "--capacity-providers", *providers)
    return any(
        each.get("autoScalingGroupProvider", {}).get("managedScaling", {}).get("status") == "ENABLED"
        for each in found["capacityProviders"]
    )
