"""Causes of stopped tasks: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from delivery.aws.errors import shown
from delivery.deployment.outcomes import Cause

if TYPE_CHECKING:
    from delivery.deployment.seam import Json

# Of causes that are found as often, the first one counts.
RANK = (
    *("secret", "access-denied", "image", "port-clash", "network-interface", "memory", "architecture", "cannot-start"),
    *("exits", "health", "instance-ended"),
)
# What ECS says when a container's own reason says more.
SAYING_NOTHING = ("Essential container in task exited", "Task failed to start")


def cause(task: Json, logs: list[str], definition: Json) -> Cause | None:
    """Return why a task failed, None for one that did not fail or does not say. `logs` are its last lines."""
    reasons = [task.get("stoppedReason", ""), *(each.get("reason", "") for each in task["containers"])]
    text = "\n".join(reasons)
    said = shown([each for each in dict.fromkeys(reasons) if each not in SAYING_NOTHING] or reasons)
    code = next((each["exitCode"] for each in task["containers"] if each.get("exitCode")), None)
    exited = task.get("stopCode") == "EssentialContainerExited"
    if "CannotPullContainer" in text or "CannotPullImage" in text:
        return Cause("image", f"The image {_image(task)} cannot be pulled.", said, _about_pulling(text))
    if re.search(r"network interface|\bENI\b", text):
        return of_interface(said)
    if re.search(r"Host EC2 .*terminated", text) or task.get("stopCode") in ("SpotInterruption", "TerminationNotice"):
        return Cause(
            "instance-ended",
            "The instance of a new task was ended while the task was on it.",
            said,
            "none in this release: run this again, and check the activity of the Auto Scaling group (ecs/cluster.yml).",
        )
    if "ResourceInitializationError" in text or "etching secret data" in text or "retrieved secret" in text:
        return _initialisation(text, said)
    if "port is already allocated" in text or "address already in use" in text:
        return Cause(
            "port-clash",
            "A port that the task needs is already in use on its instance.",
            said,
            "check PortMappings in ecs/service.yml: with NetworkMode awsvpc and no HostPort, no two tasks can clash.",
        )
    if "OutOfMemory" in text or (exited and code == 137) or any("Perhaps out of memory" in line for line in logs):
        limit = _memory(definition)
        return Cause(
            "memory",
            f"The task used more memory than its limit{f' of {limit} MiB' if limit else ''}, and was killed.",
            said + shown(logs, 5),
            "check what uses the memory in this release; or Memory in ecs/service.yml, or WebConcurrency there.",
        )
    if "exec format error" in text or any("exec format error" in line for line in logs):
        return Cause(
            "architecture",
            "The image was built for another processor architecture.",
            said + shown(logs, 3),
            "check where `make build` runs (it must be X86_64), or CpuArchitecture in ecs/service.yml.",
        )
    if "CannotStartContainerError" in text or "CannotCreateContainerError" in text:
        return Cause(
            "cannot-start",
            "The container cannot be started.",
            said,
            "check CMD in src/Dockerfile, or User and LinuxParameters in ecs/service.yml.",
        )
    if exited:
        return Cause(
            "exits",
            f"The new tasks exit on their own{f', with code {code}' if code is not None else ''}.",
            shown(logs) or said,
            "check what the log says, in src/; without a log, CMD in src/Dockerfile.",
        )
    if "health checks" in text:
        return Cause(
            "health",
            "The new tasks fail their health checks.",
            said + shown(logs),
            "check HealthCheck in ecs/service.yml, and what the site answers (src/colophon/web/health.py).",
        )
    return None


def of_interface(said: tuple[str, ...]) -> Cause:
    """Return the cause of a task that gets no network interface."""
    return Cause(
        "network-interface",
        "A task gets no network interface on its instance.",
        said,
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-eni.html
        "check ecs/cluster.yml: more instances, or a larger kind, as each kind takes so many interfaces, of which each "
        "task needs one; then the subnets in ecs/network.yml, which may be out of addresses.",
    )


def _initialisation(text: str, said: tuple[str, ...]) -> Cause:
    secret = re.search(r"arn:[\w-]+:secretsmanager:[\w-]*:\d*:secret:[\w/+=.@!-]+", text)
    name = f" {secret[0]}" if secret else ""
    denied = re.search(r"not authorized to perform: ([\w:-]+)", text)
    if denied:
        return Cause(
            "access-denied",
            f"The execution role does not allow {denied[1]}, which is needed to start a task.",
            said,
            "check ExecutionPolicy in ecs/service.yml.",
        )
    key = re.search(r"did not contain json key (\S+)", text)
    if key:
        return Cause(
            "secret",
            f"The secret{name} has no key {key[1].rstrip('.')}, which the task needs.",
            said,
            "check Secrets in ecs/service.yml, or the secret itself.",
        )
    if "ecret" in text:
        return Cause(
            "secret",
            f"The secret{name} that the task needs cannot be read.",
            said,
            "check Secrets in ecs/service.yml, the secret in ecs/database.yml, or the way to it in ecs/network.yml.",
        )
    return Cause(
        "cannot-start",
        "ECS cannot prepare what the task needs to start.",
        said,
        "check what it names, in ecs/service.yml; or the way there, in ecs/network.yml.",
    )


def _about_pulling(text: str) -> str:
    if "not authorized" in text or "denied" in text.lower():
        return "check ExecutionPolicy in ecs/service.yml, if the image is in the registry."
    if "not found" in text.lower():
        return "`make build scan-image push` brings the image back; nothing in ecs/ is wrong."
    return "the way to the registry in ecs/network.yml, if it is there: `make status` names the image."


def _image(task: Json) -> str:
    return str(next((each.get("image") for each in task["containers"]), "of the task"))


def _memory(definition: Json) -> int | None:
    limits = [each.get("memory") for each in definition.get("containerDefinitions", []) if each.get("memory")]
    return limits[0] if limits else definition.get("memory")
