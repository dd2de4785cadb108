"""Calls to AWS, all through the aws CLI: each is printed, so that it can be replayed by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from delivery.aws import program
from delivery.aws.errors import AwsError
from delivery.terminal.shell import CommandError, output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from delivery.deployment.seam import Json

Option = str | Sequence[str] | Literal[True] | None
TRIES = 3  # of a read whose command is ended by a signal


def cli(*words: str, env: Mapping[str, str | None], quiet: bool = False) -> str:
    """Run the aws CLI and return its output. Raises AwsError.

    A `quiet` call is not printed. A Ctrl-C does not reach it: whether it was carried out would be unknown.
    """
    try:
        return output("aws", *words, env=program.variables() | dict(env), quiet=quiet, shielded=True)
    except CommandError as error:
        raise AwsError(error) from None


def call(
    service: str, action: str, *arguments: str, quiet: bool = False, env: Mapping[str, str | None] | None = None
) -> Any:
    """Return AWS's answer to a call, None for an empty one. Raises AwsError. A poll is `quiet`."""
    answer = cli(service, action, *arguments, "--output", "json", env=env or {}, quiet=quiet)
    return json.loads(answer) if answer.strip() else None


class Aws:
    """The aws CLI in one session. A repeated call, such as a poll, is printed once.

    `changes` records what was changed: each change in words, and whether it is certain. One that is not may have
    happened: its call failed in a way that leaves that open.
    """

    def __init__(self, environment: Mapping[str, str | None], changes: dict[str, bool] | None = None) -> None:
        self._environment = environment
        self._printed: set[tuple[str, ...]] = set()
        self.changes = {} if changes is None else changes

    def call(
        self, service: str, operation: str, /, *words: str, quiet: bool = False, change: str = "", **options: Option
    ) -> Json:
        """Return what an operation answers, {} for nothing. Raises AwsError.

        The options are the operation's: `max_results="20"` is `--max-results 20`, a list gives several values, True
        none, and None leaves the option out. `change` names what it changes, for the record. A call without a change is
        repeated when a signal ends it.
        """
        command = (service, operation, *words, *_flags(options))
        for tries_left in reversed(range(TRIES)):
            printed = command in self._printed
            self._printed.add(command)
            try:
                with self.changing(change):
                    answer: Json = call(*command, quiet=quiet or printed, env=self._environment) or {}
                    break
            except AwsError as error:
                if change or not (error.killed and tries_left):
                    raise
        return answer

    @contextmanager
    def changing(self, change: str) -> Iterator[None]:
        """Record a change: certain once it is made, removed again if it was refused."""
        before = self.changes.get(change)
        if change:
            self.changes.setdefault(change, False)
        try:
            yield
        except AwsError as error:
            if change and before is None and not error.may_be_done:
                self.settle(change, made=False)
            raise
        if change:
            self.changes[change] = True

    def settle(self, change: str, *, made: bool) -> None:
        """Correct the record of a change that was not certain, by what AWS says now."""
        if made:
            self.changes[change] = True
        else:
            self.changes.pop(change, None)

    def request(self, service: str, operation: str, request: Json, path: Path, *, change: str) -> Json:
        """Return what an operation answers to a request that is too long for a line; the file stays, to be read."""
        path.write_text(json.dumps(request, indent=2) + "\n", encoding="utf-8")
        return self.call(service, operation, cli_input_json=f"file://{path}", change=change)

    def registry_password(self) -> str:
        """Return the password, good for twelve hours, with which Docker logs in to the account's registry."""
        return cli("ecr", "get-login-password", env=self._environment)

    def parameter(self, name: str) -> str | None:
        """Return the value of an SSM parameter, None where there is none."""
        try:
            return str(self.call("ssm", "get-parameter", name=name)["Parameter"]["Value"])
        except AwsError as error:
            if error.error == "ParameterNotFound":
                return None
            raise


def _flags(options: Mapping[str, Option]) -> Iterator[str]:
    for name, value in options.items():
        if value is not None:
            yield f"--{name.replace('_', '-')}"
            yield from [value] if isinstance(value, str) else [] if value is True else value


def moment(said: str | float) -> datetime:
    """Return a time that the CLI gave: seconds since 1970 from version 1, ISO 8601 from version 2."""
    return datetime.fromtimestamp(said, UTC) if isinstance(said, int | float) else datetime.fromisoformat(said)
