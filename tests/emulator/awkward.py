"""Faults of AWS itself, which can be combined.

Only what AWS documents, or what its command line is made to outlive, is a fault here.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.http_stream import ASGIHTTPState

from . import wire

if TYPE_CHECKING:
    from .model import Json, World
    from .wire import Answer, Call, Handler

KINDS = {
    "throttled": "every third call is one too many",
    "late": "what is new shows three seconds later, as ECS, ECR and SSM do not promise it at once",
    "paged": "a page of an answer has one item",
    "error": "the first call of each operation fails with 500",
    "dropped": "the first call of each operation that writes is carried out, and its connection ends without an answer",
    "slow": "each call takes two seconds longer",
    "clock": "AWS's clock is ten minutes ahead",
}
EVERY = 3  # calls, of which the last is throttled
LATE = 3.0  # seconds
SLOW = 2.0  # seconds
AHEAD = 600.0  # seconds
# How old a signature may be, in minutes, where that is not 5:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
MINUTES = {"s3": 15}
MOMENT = "%Y%m%dT%H%M%S"
TOO_MANY = {"ec2": (503, "RequestLimitExceeded"), "s3": (503, "SlowDown"), "query": (400, "Throttling")}
# The names that the services' own models have for this.
FAILED = {"ecs": "ServerException", "ecr": "ServerException", "ssm": "InternalServerError", "s3": "InternalError"}
FAILED |= {"secretsmanager": "InternalServiceError", "elbv2": "InternalFailure"}
# Where an answer has new things, and the member with the moment that each was made.
NEW = {
    "ListServiceDeployments": ("serviceDeployments", "createdAt"),
    "DescribeServiceDeployments": ("serviceDeployments", "createdAt"),
    "DescribeServiceRevisions": ("serviceRevisions", "createdAt"),
    "DescribeTasks": ("tasks", "createdAt"),
    "DescribeImages": ("imageDetails", "imagePushedAt"),
}
ARNS = {"serviceDeployments": "serviceDeploymentArn", "serviceRevisions": "serviceRevisionArn", "tasks": "taskArn"}


class UnknownKindError(Exception):
    """There is no such fault."""


class Awkward:
    """The faults that are on, by their kinds, and what they remember of the calls."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.kinds: frozenset[str] = frozenset()
        self.calls = 0  # since these faults are on
        self._failed: set[str] = set()
        self._dropped: set[str] = set()
        self._before: dict[tuple[str, str], tuple[float, Answer]] = {}  # by operation and name: until when, and what
        self._registered: dict[str, float] = {}  # task definitions, by ARN

    def set(self, kinds: frozenset[str]) -> None:
        """Have these faults, each from its beginning. Raises UnknownKindError."""
        if unknown := sorted(kinds - KINDS.keys()):
            raise UnknownKindError(f"There is no fault {unknown[0]!r}: {', '.join(KINDS)}.")
        self.kinds = kinds
        self.calls = 0
        for memory in (self._failed, self._dropped, self._before, self._registered):
            memory.clear()

    @property
    def page(self) -> int | None:
        """The most items that a page has, None for no limit."""
        return 1 if "paged" in self.kinds else None

    def date(self) -> bytes:
        """Return the header Date by AWS's clock."""
        return formatdate(self._now().timestamp(), usegmt=True).encode()

    def _now(self) -> datetime.datetime:
        ahead = AHEAD if "clock" in self.kinds else 0.0
        return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=ahead)

    # -- faults of each call

    def faulty(self, answer: Handler) -> Handler:
        """Refuse, fail or delay calls before they are carried out."""

        async def handle(call: Call) -> Answer:
            self.calls += 1
            if "slow" in self.kinds:
                await asyncio.sleep(SLOW)
            if expired := self._expired(call):
                return expired
            if "throttled" in self.kinds and not self.calls % EVERY:
                return wire.error(call, *TOO_MANY.get(call.protocol, (400, "ThrottlingException")), "Rate exceeded")
            if "error" in self.kinds and _first(call, self._failed):
                code = FAILED.get(call.service, "InternalFailure")
                return wire.error(call, 500, code, "The server encountered an internal error.")
            return await answer(call)

        return handle

    def _expired(self, call: Call) -> Answer | None:
        """Refuse a request that was signed too long ago; one that is not signed has no moment."""
        signed, now = wire.header(call.scope, b"x-amz-date"), self._now()
        minutes = MINUTES.get(call.service, 5)
        earliest = now - datetime.timedelta(minutes=minutes)
        if not signed or datetime.datetime.strptime(signed, f"{MOMENT}%z") >= earliest:
            return None
        if call.protocol == "s3":
            too_large = "The difference between the request time and the current time is too large."
            return wire.error(call, 403, "RequestTimeTooSkewed", too_large)
        code = "SignatureDoesNotMatch" if call.protocol in wire.XML else "InvalidSignatureException"
        is_now = f"is now earlier than {earliest:{MOMENT}Z} ({now:{MOMENT}Z} - {minutes} min.)"
        return wire.error(call, 403, code, f"Signature expired: {signed} {is_now}")

    def loses(self, call: Call, answer: Answer) -> bool:
        """Tell whether the answer to a call that was carried out never arrives."""
        made = call.writes and answer.status < 300
        return "dropped" in self.kinds and made and _first(call, self._dropped)

    # -- eventual consistency

    def late(self, answer: Handler) -> Handler:
        """Answer reads as if what was written a moment ago had not been."""

        async def handle(call: Call) -> Answer:
            if "late" not in self.kinds:
                return await answer(call)
            if call.operation == "RunTask" and self._is_new(call.input.get("taskDefinition")):
                return wire.error(call, 400, "ClientException", "TaskDefinition not found.")
            until, before = self._before.get(_name(call), (0.0, None))
            if before and time.time() < until:
                return before
            await self._note(call, answer)
            found = await answer(call)
            if call.operation == "RegisterTaskDefinition" and found.status == 200:
                self._registered[json.loads(found.body)["taskDefinition"]["taskDefinitionArn"]] = time.time()
            return self._without_new(call, found) if found.status == 200 else found

        return handle

    def _is_new(self, arn: object) -> bool:
        return time.time() - self._registered.get(str(arn), 0.0) < LATE

    async def _note(self, call: Call, answer: Handler) -> None:
        """Note what a read says before a call changes it."""
        given = call.input if call.operation in ("UpdateService", "PutParameter") else {}
        if call.operation == "UpdateService":
            read = {"cluster": given.get("cluster"), "services": [given["service"]], "include": ["TAGS"]}
            operation = "DescribeServices"
        elif call.operation == "PutParameter":
            read, operation = {"Name": given["Name"]}, "GetParameter"
        else:
            return
        scope = {**call.scope, "headers": [_renamed(each, call.operation, operation) for each in call.scope["headers"]]}
        request = call.with_input(read).changed(operation=operation, scope=scope)
        self._before[_name(request)] = (time.time() + LATE, await answer(request))

    def _without_new(self, call: Call, found: Answer) -> Answer:
        if call.operation == "ListTasks":
            whole: Json = json.loads(found.body)
            tasks = {arn: self._world.tasks[arn].times["createdAt"] for arn in whole["taskArns"]}
            return wire.json_answer(call, {**whole, "taskArns": [arn for arn in tasks if not _new(tasks[arn])]})
        if call.operation not in NEW:
            return found
        whole = json.loads(found.body)
        name, moment = NEW[call.operation]
        new = [each for each in whole[name] if _new(each[moment])]
        whole[name] = [each for each in whole[name] if each not in new]
        if name in ARNS and "failures" in whole:
            whole["failures"] += [{"arn": each[ARNS[name]], "reason": "MISSING"} for each in new]
        if name == "imageDetails" and new and not whole[name]:
            return wire.error(call, 400, "ImageNotFoundException", "The image with that imageId does not exist.")
        return wire.json_answer(call, whole)


def _new(created: float) -> bool:
    return time.time() - created < LATE


def _name(call: Call) -> tuple[str, str]:
    """Return the operation of a read, and the one thing that it is about."""
    given = call.input if call.operation in ("DescribeServices", "GetParameter") else {}
    return call.operation, str(given.get("Name") or given.get("services"))


def _renamed(field: tuple[bytes, bytes], old: str, new: str) -> tuple[bytes, bytes]:
    name, value = field
    return (name, value.replace(old.encode(), new.encode())) if name.lower() == b"x-amz-target" else field


def _first(call: Call, known: set[str]) -> bool:
    name = f"{call.service}:{call.operation}"
    first = name not in known
    known.add(name)
    return first


async def hang_up(send: Any) -> None:
    """End a request's connection without an answer. ASGI has no message for that, so hypercorn is told by its own."""
    stream = send.__self__
    stream.state = ASGIHTTPState.CLOSED
    await stream.send(StreamClosed(stream_id=stream.stream_id))
