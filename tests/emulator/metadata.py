"""The task metadata endpoint, version 4.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ministack.services import ecs_metadata

from .model import identifier

if TYPE_CHECKING:
    from .model import Container, Json, Task

_payloads: dict[tuple[str, str], Json] = {}  # by task and container
_tokens: dict[str, list[str]] = {}  # by task


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def register(task: Task, container: Container) -> str:
    """Register a container at the endpoint, and return the last part of its URL."""
    token = identifier()
    family, revision = task.definition["family"], str(task.definition["revision"])
    labels = {"cluster": task.cluster_arn, "container-name": container.name, "task-arn": task.arn}
    labels |= {"task-definition-family": family, "task-definition-version": revision}
    states = {"DesiredStatus": "RUNNING", "KnownStatus": "PENDING"}
    own: Json = {
        "DockerId": "",
        "Name": container.name,
        "DockerName": f"ecs-{family}-{container.name}",
        "Image": container.definition["image"],
        "ImageID": container.image_id,
        "Labels": {f"com.amazonaws.ecs.{name}": value for name, value in labels.items()},
        "Type": "NORMAL",
        "ContainerARN": container.arn,
        "Limits": {name: int(container.definition.get(name.lower()) or 0) for name in ("CPU", "Memory")},
        **states,
    }
    whole: Json = {"Cluster": task.cluster, "TaskARN": task.arn, "Family": family, "Revision": revision, **states}
    whole |= {"AvailabilityZone": f"{task.region}a", "LaunchType": task.launch_type or "EC2"}
    whole |= {name: _moment(task.times[name[0].lower() + name[1:]]) for name in ("PullStartedAt", "PullStoppedAt")}
    if task.group.startswith("service:"):
        whole["ServiceName"] = task.group.partition(":")[2]
    ecs_metadata.register_container(token, task.arn, whole, own)
    _payloads[task.arn, container.name] = own
    _tokens.setdefault(task.arn, []).append(token)
    return token


def started(task: Task, container: Container, token: str) -> None:
    """Add the facts that are known once a container runs."""
    ecs_metadata.set_docker_id(token, container.docker_id)
    ecs_metadata.set_container_status(token, "RUNNING")
    now = _moment(time.time())
    network = {"NetworkMode": task.definition.get("networkMode") or "bridge", "IPv4Addresses": [container.address]}
    _payloads[task.arn, container.name].update({"CreatedAt": now, "StartedAt": now, "Networks": [network]})


def status(task: Task, known: str) -> None:
    ecs_metadata.set_task_status(task.arn, known_status=known)


def forget(task: Task) -> None:
    for token in _tokens.pop(task.arn, []):
        ecs_metadata.unregister_token(token)
    for container in task.containers:
        _payloads.pop((task.arn, container.name), None)
