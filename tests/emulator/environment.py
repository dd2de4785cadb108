"""A container's environment: its own values, its secrets, and its run's overrides. A missing secret fails as on AWS."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from ministack.services import secretsmanager, ssm

from . import authorization

if TYPE_CHECKING:
    from .model import Container, Json, Task

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/resource-initialization-error.html
UNABLE = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "


class StartError(Exception):
    """A task could not be started. The message is AWS's; `container` is true where it is about one container."""

    def __init__(self, message: str, *, container: bool = False) -> None:
        super().__init__(message)
        self.container = container


def variables(task: Task, container: Container) -> dict[str, str]:
    """Return the environment of a container, without what the agent adds.

    Raises StartError for a secret that is not there.
    """
    definition = container.definition
    values = {entry["name"]: str(entry.get("value", "")) for entry in definition.get("environment") or []}
    for secret in definition.get("secrets") or []:
        values[secret["name"]] = _secret(task, str(secret["valueFrom"]))
    values.update({e["name"]: str(e["value"]) for e in override(task, container.name).get("environment") or []})
    return values


def override(task: Task, name: str) -> Json:
    """Return the overrides of a task's run for the container of that name."""
    overrides: list[Json] = task.overrides.get("containerOverrides") or []
    return next((entry for entry in overrides if entry.get("name") == name), {})


def _secret(task: Task, source: str) -> str:
    return _from_secrets_manager(task, source) if ":secretsmanager:" in source else _from_parameter_store(task, source)


def _from_secrets_manager(task: Task, source: str) -> str:
    """Resolve `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME[:KEY[:STAGE[:VERSION]]]`."""
    parts = source.split(":")
    arn, (key, stage, version) = ":".join(parts[:7]), (*parts[7:], "", "", "")[:3]
    wrong = f"{UNABLE}unable to retrieve secret from asm: service call has been retried 1 time(s): "
    failed = (
        f"{wrong}failed to fetch secret {arn} from secrets manager: operation error Secrets Manager: GetSecretValue, "
        f"https response error StatusCode: 400, RequestID: {uuid.uuid4()}, "
    )
    if denied := authorization.denial(task, "secretsmanager:GetSecretValue", arn):
        raise StartError(f"{failed}api error AccessDeniedException: {denied}")
    value = secretsmanager.resolve_secret_string(arn, stage or "AWSCURRENT", version or None)
    if value is None:
        raise StartError(f"{failed}ResourceNotFoundException: Secrets Manager can't find the specified secret.")
    if not key:
        return str(value)
    try:
        return str(json.loads(value)[key])
    except (ValueError, KeyError, TypeError) as error:
        raise StartError(f"{wrong}retrieved secret from Secrets Manager did not contain json key {key}") from error


def _from_parameter_store(task: Task, source: str) -> str:
    """Resolve a parameter by its name or its ARN."""
    name = source.partition(":parameter")[2] or source
    wrong = f"{UNABLE}unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
    parameter = f"arn:aws:ssm:{task.region}:{task.account}:parameter/{name.lstrip('/')}"
    arn = source if source.startswith("arn:") else parameter
    if denied := authorization.denial(task, "ssm:GetParameters", arn):
        failed = f"https response error StatusCode: 400, RequestID: {uuid.uuid4()}, api error AccessDeniedException"
        raise StartError(f"{wrong}operation error SSM: GetParameters, {failed}: {denied}")
    value = ssm.resolve_parameter_value(source, decrypt=True)
    if value is None:
        raise StartError(f"{wrong}invalid parameters: {name}")
    return str(value)
