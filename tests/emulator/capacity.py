"""The container instances of a cluster: made up, but with memory, CPU and host ports that run out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .model import Instance, identifier

if TYPE_CHECKING:
    from .model import Json, Task, World

MORE = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."

# vCPU and MiB by the size of an instance; its system keeps a part of the memory.
SIZES = {"nano": (2, 512), "micro": (2, 1024), "small": (2, 2048), "medium": (2, 4096), "large": (2, 8192)}
KEPT = 0.06
INTERFACES = 2  # of a small instance, for tasks in awsvpc mode, beside its own
BOOT = 120.0  # seconds until a new instance has joined


class PlacementError(Exception):
    """A task could not be placed.

    The message is AWS's in an event of the service; `short` is the reason that RunTask gives, for `instance`, the ARN
    of the closest match.
    """

    def __init__(self, message: str, short: str, instance: str = "") -> None:
        super().__init__(f"{message} {MORE}")
        self.short = short
        self.instance = instance


@dataclass(frozen=True)
class Fleet:
    """The number of instances of a cluster, the size of each (CPU units, MiB), and its type."""

    size: int = 2
    cpu: int = 2048
    memory: int = 3850
    kind: str = "t3.medium"


def offer(instance_type: str) -> tuple[int, int]:
    """Return the CPU units and the MiB that an instance of a type such as `t3.small` registers with."""
    processors, memory = SIZES.get(instance_type.rpartition(".")[2], SIZES["medium"])
    return processors * 1024, int(memory * (1 - KEPT))


def needs(definition: Json) -> tuple[int, int]:
    """Return the CPU units and the MiB that a task of this definition reserves.

    File systems in memory count beside what a container reserves:
    https://github.com/aws/amazon-ecs-agent/blob/master/proposals/shmsize-tmpfs.md.
    """
    containers = definition["containerDefinitions"]
    cpu = int(definition.get("cpu") or sum(int(c.get("cpu") or 0) for c in containers))
    return cpu, int(definition.get("memory") or sum(map(_memory, containers)))


def _memory(container: Json) -> int:
    linux = container.get("linuxParameters") or {}
    mounts = sum(int(each["size"]) for each in linux.get("tmpfs") or [])
    reserved = int(container.get("memoryReservation") or container.get("memory") or 0)
    return reserved + int(linux.get("sharedMemorySize") or 0) + mounts


def host_ports(definition: Json) -> set[int]:
    """Return the ports of the instance that a task of this definition needs."""
    if definition.get("networkMode") == "awsvpc":
        return set()
    mappings = [m for c in definition["containerDefinitions"] for m in c.get("portMappings") or []]
    return {int(mapping["hostPort"]) for mapping in mappings if int(mapping.get("hostPort") or 0)}


def instances(world: World, cluster_arn: str, fleet: Fleet) -> list[Instance]:
    """Return the instances that have joined a cluster. Those by which its fleet grew have to start first.

    The caller holds the world's lock.
    """
    known = world.instances.setdefault(cluster_arn, [])
    joins = time.time() + world.pace.boot(BOOT) if known else 0.0
    while len(known) < fleet.size:
        arn = f"{cluster_arn.replace(':cluster/', ':container-instance/')}/{identifier()}"
        known.append(Instance(arn, f"i-{identifier()[:17]}", fleet.cpu, fleet.memory, fleet.kind, joins))
    return [each for each in known if each.joins <= time.time()]


def running_on(world: World, instance: Instance) -> list[Task]:
    """Return the tasks that hold resources of an instance."""
    return [task for task in world.tasks.values() if task.instance is instance and task.last_status != "STOPPED"]


def remaining(world: World, instance: Instance) -> tuple[int, int, set[int]]:
    """Return an instance's free CPU units and MiB, and its host ports that are taken."""
    held = [task.definition for task in running_on(world, instance)]
    taken = [needs(definition) for definition in held]
    ports = {port for definition in held for port in host_ports(definition)}
    return instance.cpu - sum(cpu for cpu, _ in taken), instance.memory - sum(memory for _, memory in taken), ports


def place(world: World, cluster_arn: str, fleet: Fleet, definition: Json, *, apart_from: str = "") -> Instance:
    """Choose the instance with the fewest tasks that has room for one of this definition. The caller holds the lock.

    `apart_from` is the group whose tasks must each have an instance of their own. Raises PlacementError with the
    first lack of the closest match.
    """
    candidates = instances(world, cluster_arn, fleet)
    if not candidates:
        raise PlacementError("Reason: No Container Instances were found in your cluster.", "AGENT")
    candidates = sorted(candidates, key=lambda entry: len(running_on(world, entry)))
    lacks = [_lack(world, instance, definition, apart_from) for instance in candidates]
    if None in lacks:
        return candidates[lacks.index(None)]
    message, short = lacks[0] or ("", "")
    arn = candidates[0].arn
    raise PlacementError(f"The closest matching (container-instance {arn.rsplit('/', 1)[-1]}) {message}", short, arn)


def _lack(world: World, instance: Instance, definition: Json, apart_from: str) -> tuple[str, str] | None:
    """Return the first thing that an instance lacks for a task, at length and in short; None when it has room."""
    cpu, memory = needs(definition)
    free_cpu, free_memory, taken = remaining(world, instance)
    tasks = running_on(world, instance)
    interfaces = sum(task.definition.get("networkMode") == "awsvpc" for task in tasks)
    if apart_from and any(task.group == apart_from for task in tasks):
        return "encountered error 'DistinctInstance placement constraint unsatisfied.'.", "ATTRIBUTE"
    if host_ports(definition) & taken:
        return "is already using a port required by your task.", "RESOURCE:PORTS"
    if definition.get("networkMode") == "awsvpc" and interfaces >= INTERFACES:
        return "encountered error 'RESOURCE:ENI'.", "RESOURCE:ENI"
    if free_cpu < cpu:
        return "has insufficient CPU units available.", "RESOURCE:CPU"
    if free_memory < memory:
        return "has insufficient memory available.", "RESOURCE:MEMORY"
    return None
