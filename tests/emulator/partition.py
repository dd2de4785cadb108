"""The partition of a region: China's and the United States government's ARNs begin otherwise.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html

ministack knows `aws` alone, so names are translated on the way in and out. An ARN of `aws` that comes in from elsewhere
names nothing there.
"""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import cbor2

from . import wire

if TYPE_CHECKING:
    from .wire import Answer, Call, Handler

PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
COMMON = "aws"
ANOTHER = "aws-of-another"
ARN = re.compile(r"(?<![a-z])arn(:|%3A)([a-z-]+)(?=\1)", re.IGNORECASE)  # a form has its colons in another spelling
CLAIMS = re.compile(r"(?<=\.)eyJ[\w-]+(?=\.)")  # of a token, whose audience may be a role


def of(region: str) -> str:
    """Return the partition of a region."""
    return next((name for prefix, name in PARTITIONS.items() if region.startswith(prefix)), COMMON)


def translated(answer: Handler, own: str) -> Handler:
    """Answer as in a partition of its `own`."""
    if own == COMMON:
        return answer

    async def handle(call: Call) -> Answer:
        if call.protocol == "s3":  # its names are in paths, and its bodies are objects
            return await answer(call)
        found = await answer(call.changed(body=_renamed(call, call.body, {own: COMMON, COMMON: ANOTHER})))
        return replace(found, body=_renamed(call, found.body, {COMMON: own}))

    return handle


def _renamed(call: Call, body: bytes, names: dict[str, str]) -> bytes:
    """Return a body with other partitions in its ARNs."""
    if call.protocol == "cbor":
        return wire.cbor(_each(cbor2.loads(body), names)) if body else body
    text = _text(body.decode("latin-1"), names)
    if call.operation == "AssumeRoleWithWebIdentity":
        text = CLAIMS.sub(lambda found: _coded(_text(_decoded(found[0]), names)), text)
    return text.encode("latin-1")


def _each(value: object, names: dict[str, str]) -> object:
    if isinstance(value, dict):
        return {key: _each(held, names) for key, held in value.items()}
    if isinstance(value, list):
        return [_each(held, names) for held in value]
    return _text(value, names) if isinstance(value, str) else value


def _text(text: str, names: dict[str, str]) -> str:
    return ARN.sub(lambda arn: f"arn{arn[1]}{names.get(arn[2], arn[2])}", text)


def _decoded(claims: str) -> str:
    return base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)).decode()


def _coded(claims: str) -> str:
    return base64.urlsafe_b64encode(claims.encode()).decode().rstrip("=")
