"""Calls to AWS, all through the aws CLI: what is printed can be replayed by hand."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from datetime import UTC, datetime
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from delivery.terminal.shell import CommandError, output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Json = dict[str, Any]

# How the CLI says that AWS refused, and how it says that it did not get that far.
REFUSAL = re.compile(
    r"An error occurred \((?P<code>\w+)\) when calling the (?P<operation>\w+) operation"
    r"(?: \(reached max retries: \d+\))?: (?P<said>.*)",
    re.DOTALL,
)
FAILURES = {
    "NoCredentials": "Unable to locate credentials",
    "NoConnection": "Could not connect to the endpoint URL",
    "Timeout": "timeout on endpoint URL",
    "ConnectionClosed": "Connection was closed before",
    "ExpiredToken": "Token has expired",
    "NoProfile": "The config profile",
}
THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException"}
    | {"SlowDown", "RequestThrottled", "RequestThrottledException", "PriorRequestNotComplete", "LimitExceededException"}
    | {"BandwidthLimitExceeded", "EC2ThrottledException", "ProvisionedThroughputExceededException", "TooManyUpdates"}
    | {"TransactionInProgressException"}
)
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})
# AWS, or the way there, failed: a call that ended so may have been carried out.
FAILED = frozenset(
    {"NoConnection", "Timeout", "ConnectionClosed", "ServerException", "InternalError", "InternalFailure"}
    | {"InternalServerError", "InternalServiceError", "ServiceFailure", "ServiceUnavailable", "RequestTimeout"}
    | {"ServiceUnavailableException", "RequestTimeoutException", "HealthUnavailable", "500", "502", "503", "504"}
)
PASSING = FAILED | {"IDPCommunicationError"}
LASTING = EXPIRED | DENIED | {"NoCredentials", "NoProfile", "NoProgram"}
ASKED_AGAIN = 3  # how often a question is asked whose command is ended by a signal


class AwsError(CommandError):
    """A call to AWS failed. `error` is AWS's code for it, "" for an unknown one; `said` is its sentence."""

    def __init__(self, failed: CommandError) -> None:
        super().__init__(failed.command, failed.code, failed.errors)
        refusal = REFUSAL.search(failed.errors)
        self.operation = refusal["operation"] if refusal else ""
        self.said = " ".join((refusal["said"] if refusal else failed.errors).split())
        if self.killed:
            self.error, self.said = "Killed", self.message
        elif refusal:
            self.error = refusal["code"]
        elif self.code == 127:
            self.error = "NoProgram"
        else:
            self.error = next((code for code, words in FAILURES.items() if words in failed.errors), "")

    @property
    def may_pass(self) -> bool:
        """Whether the same call may succeed later, with nothing changed."""
        return self.error in THROTTLED or self.error in PASSING or self.killed is not None

    @property
    def lasts(self) -> bool:
        """Whether the same call will fail again until a person changes something."""
        return self.error in LASTING or "not authorized to perform" in self.said

    @property
    def may_be_done(self) -> bool:
        """Whether AWS may have carried the call out all the same."""
        return self.error in FAILED or self.killed is not None


class Conflict(Exception):  # noqa: N818 -- no mistake: somebody else was faster
    """An object is not, or no more, what a conditional write expected."""


def call(
    service: str, action: str, *arguments: str, quiet: bool = False, env: Mapping[str, str | None] | None = None
) -> Any:
    """Return AWS's answer to a call, None when it says nothing. Raises AwsError.

    A `quiet` one, such as a question that is asked over and over, is not printed. It is out of a Ctrl-C's reach, for
    nobody would know whether it was heard.
    """
    command = ("aws", service, action, *arguments, "--output", "json")
    # Version 2 of the CLI would show long answers in a pager.
    environment = {"AWS_PAGER": ""} | dict(env or {})
    try:
        answer = output(*command, env=environment, quiet=quiet, shielded=True)
    except CommandError as error:
        raise AwsError(error) from None
    return json.loads(answer) if answer.strip() else None


class Aws:
    """The aws CLI in one session. Calls that are repeated, as when waiting, are printed once.

    `changes` is the record of what was changed: each change in words, and whether it is certain. One that is not may
    have been made: its call failed in a way that leaves that open.
    """

    def __init__(self, environment: Mapping[str, str | None], changes: dict[str, bool] | None = None) -> None:
        self._environment = environment
        self._printed: set[tuple[str, ...]] = set()
        self.changes = {} if changes is None else changes

    def call(self, service: str, operation: str, *arguments: str, quiet: bool = False, change: str = "") -> Json:
        """Return what an operation answers, {} for nothing. Raises AwsError.

        `change` says, for the record, what it changes. A call that only looks is made again when a signal ends it.
        """
        asked = (service, operation, *arguments)
        for tries_left in reversed(range(ASKED_AGAIN)):
            seen = asked in self._printed
            self._printed.add(asked)
            try:
                with self.changing(change):
                    answer: Json = call(*asked, quiet=quiet or seen, env=self._environment) or {}
                    break
            except AwsError as error:
                if change or not (error.killed and tries_left):
                    raise
        return answer

    @contextmanager
    def changing(self, change: str) -> Iterator[None]:
        """Keep record of a change: certain once it is made, taken away again when it was refused."""
        before = self.changes.get(change)
        if change:
            self.changes.setdefault(change, False)
        try:
            yield
        except AwsError as error:
            if change and before is None and not error.may_be_done:
                self.found_out(change, made=False)
            raise
        if change:
            self.changes[change] = True

    def found_out(self, change: str, *, made: bool) -> None:
        """Correct the record by what AWS says of a change that was not certain."""
        if made:
            self.changes[change] = True
        else:
            self.changes.pop(change, None)

    def request(self, service: str, operation: str, request: Json, path: Path, *, change: str) -> Json:
        """Return what an operation answers to a request that is too long for a line; it stays in a file, to be read."""
        path.write_text(json.dumps(request, indent=2) + "\n", encoding="utf-8")
        return self.call(service, operation, "--cli-input-json", f"file://{path}", change=change)

    def registry_password(self) -> str:
        """Return the password, good for twelve hours, with which Docker logs in to the account's registry."""
        try:
            return output("aws", "ecr", "get-login-password", env=self._environment, shielded=True)
        except CommandError as error:
            raise AwsError(error) from None

    def parameter(self, name: str) -> str | None:
        """Return a parameter's value, None where it is not there."""
        try:
            return str(self.call("ssm", "get-parameter", "--name", name)["Parameter"]["Value"])
        except AwsError as error:
            if error.error == "ParameterNotFound":
                return None
            raise

    def stored(self, bucket: str, key: str, *, quiet: bool = False) -> tuple[Json, str] | None:
        """Return an object of a bucket, which is JSON, with its entity tag. None where it is not there."""
        with NamedTemporaryFile(prefix="delivery-", suffix=".json") as file:
            try:
                got = self.call("s3api", "get-object", file.name, "--bucket", bucket, "--key", key, quiet=quiet)
            except AwsError as error:
                if error.error == "NoSuchKey":
                    return None
                raise
            return json.loads(file.read()), str(got["ETag"])

    def store(self, bucket: str, key: str, path: Path, *, instead_of: str | None, quiet: bool = False) -> str:
        """Store a file, and return its entity tag.

        It takes the place of the version with the entity tag `instead_of`, or of none. Raises Conflict when that is not
        what is there: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        """
        condition = ("--if-match", instead_of) if instead_of else ("--if-none-match", "*")
        try:
            put = self.call(
                "s3api",
                "put-object",
                "--bucket",
                bucket,
                "--key",
                key,
                "--body",
                str(path),
                "--content-type",
                "application/json",
                *condition,
                quiet=quiet,
            )
        except AwsError as error:
            # 412 and 409; and 404, for a version that is there no more.
            if error.error in ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"):
                raise Conflict from None
            raise
        return str(put["ETag"])


def moment(said: str | float) -> datetime:
    """Return a time that the CLI gave: seconds since 1970 from version 1, ISO 8601 from version 2."""
    return datetime.fromtimestamp(said, UTC) if isinstance(said, int | float) else datetime.fromisoformat(said)
