"""The awslogs driver: the output of containers, in the log groups that their task definitions name."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from ministack.core.responses import request_scope
from ministack.services import cloudwatch_logs

from . import authorization
from .environment import StartError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import Container, Task

CANNOT = "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to create "


class Stream:
    """A log stream of one container."""

    def __init__(self, account: str, region: str, group: str, name: str) -> None:
        self._scope = (account, region)
        self._names = {"logGroupName": group, "logStreamName": name}

    def follow(self, output: Iterator[bytes]) -> None:
        """Store the output of a container, line by line, until it ends."""
        threading.Thread(target=self._copy, args=(output,), name="awslogs", daemon=True).start()

    def _copy(self, output: Iterator[bytes]) -> None:
        rest = b""
        with request_scope(*self._scope):
            for piece in output:
                *lines, rest = (rest + piece).split(b"\n")
                self._store(lines)
            self._store([rest] if rest else [])

    def _store(self, lines: list[bytes]) -> None:
        now = int(time.time() * 1000)
        texts = [line.decode("utf-8", "replace").rstrip("\r") for line in lines if line.strip()]
        events: list[dict[str, Any]] = [{"timestamp": now, "message": text} for text in texts]
        if events:
            cloudwatch_logs._put_log_events({**self._names, "logEvents": events})


def stream(task: Task, container: Container) -> Stream | None:
    """Make the log stream `PREFIX/CONTAINER/TASK` of a container, and return it; None where it has no awslogs.

    Raises StartError in the words of the driver when the group is missing or the execution role may not write to it.
    """
    configuration = container.definition.get("logConfiguration") or {}
    options = configuration.get("options") or {}
    if configuration.get("logDriver") != "awslogs":
        return None
    group, region = options["awslogs-group"], options.get("awslogs-region") or task.region
    name = f"{options.get('awslogs-stream-prefix', 'ecs')}/{container.name}/{task.id}"
    arn = f"arn:aws:logs:{region}:{task.account}:log-group:{group}:log-stream:{name}"
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        # The agent of an instance writes with the execution role when there is one.
        denied = task.definition.get("executionRoleArn") and authorization.denial(task, action, arn)
        if denied:
            raise StartError(f"{CANNOT}Cloudwatch log stream: AccessDeniedException: {denied}", container=True)
    with request_scope(task.account, region):
        if group not in cloudwatch_logs._log_groups:
            if str(options.get("awslogs-create-group", "")).lower() != "true":
                missing = "ResourceNotFoundException: The specified log group does not exist."
                raise StartError(f"{CANNOT}Cloudwatch log stream: {missing}", container=True)
            cloudwatch_logs._create_log_group({"logGroupName": group})
        cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": name})
    return Stream(task.account, region, group, name)
