"""Causes of stopped tasks: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html."""

from __future__ import annotations

import re
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING

from delivery.aws.errors import LINES, shown
from delivery.deployment.outcomes import Cause

if TYPE_CHECKING:
    from collections.abc import Collection

    from delivery.deployment.seam import Json

Logs = dict[str, list[str]]  # the last lines of each container by its name

# Of causes that are found as often, the first one counts.
RANK = (
    *("secret", "access-denied", "image", "port-clash", "network-interface", "memory", "architecture", "cannot-start"),
    *("exits", "health", "instance-ended"),
)
# How a container ends that ECS stops: before it started, by itself, by SIGTERM, or by SIGKILL after its time.
AS_STOPPED = (None, 0, 128 + SIGTERM, 128 + SIGKILL)
# What ECS says when a container's own reason says more.
SAYING_NOTHING = ("Essential container in task exited", "Task failed to start")


def failed(task: Json, definition: Json) -> Json:
    """Return the container for which a task was stopped, an empty one where that cannot be told.

    ECS does not name it, and stops the others after it. Of several that all ended as ECS ends them, any may be the one.
    """
    described = definition.get("containerDefinitions", [])
    optional = {each["name"] for each in described if not each.get("essential", True)} if _exited(task) else ()
    containers = [each for each in task["containers"] if each["name"] not in optional]
    found = [each for each in containers if each.get("reason")]
    if "container health checks" in task.get("stoppedReason", ""):
        found = [each for each in containers if each.get("healthStatus") == "UNHEALTHY"] or containers
    elif not found and _exited(task):
        found = [each for each in containers if each.get("exitCode") not in AS_STOPPED] or containers
    return found[0] if len(found) == 1 else {}


def _exited(task: Json) -> bool:
    return bool(task.get("stopCode") == "EssentialContainerExited")


def log(logs: Logs, names: Collection[str] = ()) -> tuple[str, ...]:
    """Return the last lines of the containers of these names, else of all; each with its container's if several."""
    chosen = {name: lines for name, lines in logs.items() if lines and name in (names or logs)}
    lines = [(name, line) for name in chosen for line in shown(chosen[name], LINES // len(chosen))]
    return tuple(f"{name}: {line}" if len(logs) > 1 else line for name, line in lines)


def cause(task: Json, logs: Logs, definition: Json) -> Cause | None:
    """Return why a task failed, None for one that did not fail or does not say."""
    reasons = [task.get("stoppedReason", ""), *(each.get("reason", "") for each in task["containers"])]
    text = "\n".join(reasons)
    said = shown([each for each in dict.fromkeys(reasons) if each not in SAYING_NOTHING] or reasons)
    container = failed(task, definition)
    name, code = container.get("name"), container.get("exitCode")
    lines = log(logs, [name] if name else [])
    starving = (each for each in logs if "Perhaps out of memory" in "".join(logs[each]) and name in (None, each))
    starved = next(starving, None)
    if "CannotPullContainer" in text or "CannotPullImage" in text:
        return Cause("image", f"The image {_image(task, container)} cannot be pulled.", said, _about_pulling(text))
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
    if "OutOfMemory" in text or (_exited(task) and code == 128 + SIGKILL) or starved:
        name = name or starved
        limit = _memory(definition, name)
        return Cause(
            "memory",
            f"{f'The container {name}' if name else 'The task'} used more memory than its limit"
            f"{f' of {limit} MiB' if limit else ''}, and was killed.",
            said + log(logs, [name] if name else [])[-5:],
            "check what uses the memory in this release; or the container's Memory in ecs/service.yml, or "
            "WebConcurrency there.",
        )
    if "exec format error" in "".join((text, *(line for each in logs.values() for line in each))):
        return Cause(
            "architecture",
            "The image was built for another processor architecture.",
            said + lines[-3:],
            "check where `make build` runs (it must be X86_64), or CpuArchitecture in ecs/service.yml.",
        )
    if "CannotStartContainerError" in text or "CannotCreateContainerError" in text:
        return Cause(
            "cannot-start",
            f"The container{f' {name}' if name else ''} cannot be started.",
            said,
            "check CMD in src/Dockerfile, or Command, User and LinuxParameters in ecs/service.yml.",
        )
    if _exited(task):
        return Cause(
            "exits",
            "The new tasks exit on their own"
            + (f": their container {name} ended with code {code}." if code is not None else "."),
            lines or shown(reasons),
            "check what the log says, in src/; without a log, CMD in src/Dockerfile, or Command in ecs/service.yml.",
        )
    if "health checks" in text:
        return Cause(
            "health",
            f"The new tasks fail {f'the health check of their container {name}' if name else 'their health checks'}.",
            said + lines,
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
        return "bring it back, one of this project's by `make build scan-image push`; nothing in ecs/ is wrong."
    return "the way to the registry in ecs/network.yml, if it is there: `make status` names the image."


def _image(task: Json, container: Json) -> str:
    images = {each.get("image") for each in ([container] if container else task["containers"])}
    return str(images.pop()) if len(images) == 1 else "of the task"


def _memory(definition: Json, container: str | None) -> int | None:
    limits = {each["name"]: each.get("memory") for each in definition.get("containerDefinitions", [])}
    return limits.get(container) or definition.get("memory")
