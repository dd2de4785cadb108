"""AWS's protocols: the operation that a request calls, its input and answer, and errors as each protocol has them."""

from __future__ import annotations

import contextvars
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlencode
from xml.sax.saxutils import escape

import cbor2
from ministack.core import sigv4

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .model import Json

    Handler = Callable[["Call"], Awaitable["Answer"]]

CREDENTIAL = re.compile(r"Credential=[^/]+/\d+/[^/]+/([\w-]+)/")
BOTOCORE = {"monitoring": "cloudwatch", "elasticloadbalancing": "elbv2", "states": "stepfunctions"}
READING = ("Describe", "Get", "List", "BatchGet", "BatchCheck", "Head", "Assume", "Filter")
XML = {"query": "text/xml", "ec2": "text/xml", "s3": "application/xml"}


@dataclass(frozen=True)
class Call:
    """A call of an operation, both by botocore's names. `scope` and `body` are the request as it is passed on."""

    service: str
    operation: str
    protocol: str
    scope: Any
    body: bytes
    receive: Any
    origin: Call | None = None  # the call as it came and was signed, where this is another

    @property
    def writes(self) -> bool:
        """True if the operation changes something."""
        return not self.operation.startswith(READING)

    @property
    def input(self) -> Json:
        """The input; of the query protocols flat, of S3 none."""
        if self.protocol == "cbor":
            found = cbor2.loads(self.body)
        elif self.protocol == "json":
            found = json.loads(self.body or b"{}")
        else:
            found = dict(parse_qsl(self.body.decode())) if self.protocol != "s3" else {}
        return dict(found)

    def with_input(self, given: Json) -> Call:
        """Return the same call with another input."""
        text = json.dumps(given) if self.protocol == "json" else urlencode(given)
        return self.changed(body=cbor(given) if self.protocol == "cbor" else text.encode())

    def changed(self, **parts: Any) -> Call:
        """Return the call that this one is made into."""
        return replace(self, origin=self.origin or self, **parts)


_came: contextvars.ContextVar[Call | None] = contextvars.ContextVar("_came", default=None)


@dataclass(frozen=True)
class Answer:
    """The answer to a call."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    async def send(self, send: Any, date: bytes) -> None:
        """Send it, with this header Date."""
        headers = [(name, value) for name, value in self.headers if name.lower() not in (b"content-length", b"date")]
        headers += [(b"content-length", str(len(self.body)).encode()), (b"date", date)]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def header(scope: Any, name: bytes) -> str:
    """Return a header of a request, "" for none."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name), "")


async def whole(receive: Any) -> bytes:
    """Return the body of a request."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def read(scope: Any, receive: Any) -> Call | None:
    """Read a request, and return the call that it makes. None, with nothing read, for one that is no call."""
    signed = CREDENTIAL.search(header(scope, b"authorization"))
    form = header(scope, b"content-type").startswith("application/x-www-form-urlencoded")
    if not (signed or (form and scope["path"] == "/")):  # to assume a role with a token takes no signature
        return None
    body = await whole(receive)
    service = BOTOCORE.get(signed[1], signed[1]) if signed else "sts"
    return Call(service, *_operation(service, scope, body), scope, body, receive)


def _operation(service: str, scope: Any, body: bytes) -> tuple[str, str]:
    """Return the operation and the protocol."""
    if target := header(scope, b"x-amz-target"):
        return target.rpartition(".")[2], "json"
    if header(scope, b"smithy-protocol"):
        return scope["path"].rpartition("/")[2], "cbor"
    if service == "s3":
        lists = b"list-type" in scope["query_string"]
        return "ListObjects" if lists else f"{scope['method'].title()}Object", "s3"
    return dict(parse_qsl(body.decode("latin-1"))).get("Action", scope["path"]), "ec2" if service == "ec2" else "query"


async def carry_out(app: Any, call: Call) -> Answer:
    """Have an application carry a call out, and return its answer."""
    given = [{"type": "http.request", "body": call.body, "more_body": False}]
    start: Json = {}
    body = b""

    async def take() -> Any:
        return given.pop() if given else await call.receive()

    async def keep(message: Json) -> None:
        nonlocal body
        if message["type"] == "http.response.start":
            start.update(message)
        body += message.get("body", b"")

    length = (b"content-length", str(len(call.body)).encode())
    headers = [length if name.lower() == b"content-length" else (name, value) for name, value in call.scope["headers"]]
    token = _came.set(call.origin)
    try:
        await app({**call.scope, "headers": headers}, take, keep)
    finally:
        _came.reset(token)
    return Answer(start["status"], list(start["headers"]), body)


def install() -> None:
    """Have signatures held against the request that was signed, however it was changed on the way."""
    verify = sigv4.header_signature_failure

    def failure(*request: Any, **options: Any) -> Any:
        if (call := _came.get()) is None:
            return verify(*request, **options)
        query = parse_qs(call.scope["query_string"].decode(), keep_blank_values=True)
        headers = {name.decode().lower(): sigv4.decode_header_value(value) for name, value in call.scope["headers"]}
        return verify(*request[:4], query, headers, call.body, **options)

    sigv4.header_signature_failure = failure


def json_answer(call: Call, found: Json) -> Answer:
    """Return an answer in JSON, or in CBOR where the call is."""
    return _encoded(call, 200, found)


def error(call: Call, status: int, code: str, message: str) -> Answer:
    """Return an error as a call's protocol has it."""
    if call.protocol not in XML:
        return _encoded(call, status, {"__type": code, "message": message})
    own = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    kind = "Sender" if status < 500 else "Receiver"
    body = {
        "query": f"<ErrorResponse><Error><Type>{kind}</Type>{own}</Error><RequestId>0</RequestId></ErrorResponse>",
        "ec2": f"<Response><Errors><Error>{own}</Error></Errors><RequestID>0</RequestID></Response>",
        "s3": f"<Error>{own}<RequestId>0</RequestId></Error>",
    }[call.protocol]
    return Answer(status, [(b"content-type", XML[call.protocol].encode())], body.encode())


def _encoded(call: Call, status: int, found: Json) -> Answer:
    if call.protocol == "cbor":
        headers = [(b"content-type", b"application/cbor"), (b"smithy-protocol", b"rpc-v2-cbor")]
        return Answer(status, headers, cbor(found))
    return Answer(status, [(b"content-type", b"application/x-amz-json-1.1")], json.dumps(found).encode())


def cbor(value: object) -> bytes:
    """Return a value in CBOR."""
    return bytes(cbor2.dumps(value, datetime_as_timestamp=True))
