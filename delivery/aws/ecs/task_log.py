"""The log of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from delivery.aws.errors import AwsError

if TYPE_CHECKING:
    from delivery.aws.context import Context
    from delivery.deployment.seam import Json


class Log:
    """The log of one container of a task, in CloudWatch Logs, where the awslogs driver sends it."""

    def __init__(self, context: Context, definition: Json, task: Json, container: str) -> None:
        options = next(
            each.get("logConfiguration", {}).get("options", {})
            for each in definition["containerDefinitions"]
            if each["name"] == container
        )
        self._aws = context.aws
        self._group = options.get("awslogs-group", context.names.log_group)
        prefix = options.get("awslogs-stream-prefix", container)
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
        self._stream = f"{prefix}/{container}/{task['taskArn'].rsplit('/', 1)[-1]}"
        self._next: str | None = None
        self.lines: list[str] = []

    def news(self) -> list[str]:
        """Return the lines since the last time, from the beginning at first. Raises AwsError."""
        after = ("--next-token", self._next) if self._next else ()
        found = self._get("--start-from-head", *after)
        self._next = found.get("nextForwardToken", self._next)
        lines = [each["message"] for each in found["events"]]
        self.lines += lines
        return lines

    def last(self, most: int = 30) -> list[str]:
        """Return the last lines. Raises AwsError."""
        return [each["message"] for each in self._get("--limit", str(most))["events"]]

    def _get(self, *options: str) -> Json:
        try:
            return self._aws.call(
                "logs",
                "get-log-events",
                "--log-group-name",
                self._group,
                "--log-stream-name",
                self._stream,
                *options,
                quiet=self._next is not None,
            )
        except AwsError as error:
            if error.error == "ResourceNotFoundException":  # it has not written anything
                return {"events": []}
            raise
