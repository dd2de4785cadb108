"""AWS on the wire: a server that answers each request with all members that AWS's own model of the operation has."""

from __future__ import annotations

import json
import re
import threading
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, SubElement, tostring

from tests.delivery.aws.fake_cli import model, operation_model

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOKEN = re.compile(r"(next|continuation)?(token|marker)|istruncated", re.IGNORECASE)
CHECKED = ("Checksum", "ContentLength")  # headers of S3's, which must fit the body
# Headers that no call depends on; version 2 of the CLI takes another checksum than version 1.
VARYING = re.compile(r"authorization|amz-sdk|user-agent|x-amz-(date|content-sha256|checksum|sdk)|host|accept", re.I)
# An idempotency token that the CLI makes itself, another one for each call.
MADE_UP = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
Answer = tuple[int, dict[str, str], bytes]


class Wire:
    """The server. `answers` are given one after the other, the last one again and again; `requests` came so far.

    None in the place of an answer closes the connection.
    """

    def __init__(self) -> None:
        self.answers: list[Answer | None] = []
        self.requests: list[Any] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.requests.append((self.command, self.path, _plain(dict(self.headers)), _read(body)))
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, said = answer
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(said))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else said)

            do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815 -- the names that the server looks for

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def _plain(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in sorted(headers.items()) if not VARYING.match(name)}


def _read(body: bytes) -> Any:
    text = MADE_UP.sub("a-token", body.decode())
    return json.loads(text) if text.startswith("{") else sorted(parse_qsl(text)) or text


def whole(service: str, operation: str) -> list[Answer]:
    """Return answers with every member of the model: a page that another follows, and the last one."""
    return [_answer(service, operation, last) for last in (False, True)]


def request(service: str, operation: str) -> str:
    """Return a request with the members that an operation requires, as JSON."""
    shape = operation_model(service, operation).input_shape
    return json.dumps({name: _json(shape.members[name]) for name in (shape.required_members if shape else ())})


def refusal(service: str, code: str, said: str, status: int) -> Answer:
    """Return an answer that refuses."""
    if model(service).resolved_protocol == "json":
        return (
            status,
            {"Content-Type": "application/x-amz-json-1.1"},
            json.dumps({"__type": code, "message": said}).encode(),
        )
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{said}</Message></Error>"
    return status, {}, (error if service == "s3api" else f"<ErrorResponse>{error}</ErrorResponse>").encode()


def _answer(service: str, operation: str, last: bool) -> Answer:
    described, protocol = operation_model(service, operation), model(service).resolved_protocol
    shape = described.output_shape
    members = dict(_members(shape, last)) if shape else {}
    if protocol == "json":
        content = {name: _json(member) for name, member in members.items()}
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(content).encode()
    root = Element("Answer")
    into = (
        SubElement(root, shape.serialization["resultWrapper"])
        if shape and "resultWrapper" in shape.serialization
        else root
    )
    headers = {}
    for name, member in members.items():
        place = member.serialization
        if name.startswith(CHECKED):
            continue
        if place.get("location") == "header":
            headers[place["name"]] = (
                format_datetime(NOON, usegmt=True) if member.type_name == "timestamp" else _text(member)
            )
        elif place.get("location") is None and not place.get("streaming") and name != "Body":
            _xml(into, name, member)
    return 200, headers, b'{"a": 1}' if "Body" in members else tostring(root)


def _members(shape: Any, last: bool = True, seen: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    members = [*shape.members.items()][: 1 if shape.is_tagged_union else None]
    for name, member in members:
        if not (last and TOKEN.fullmatch(name)) and member.name not in seen:
            yield name, member


def _text(shape: Any) -> str:
    match shape.type_name:
        case "boolean":
            return "true"
        case "timestamp":
            return NOON.strftime("%Y-%m-%dT%H:%M:%SZ")
        case "integer" | "long" | "float" | "double":
            return "7"
        case "blob":
            return "Ymxv"
    return str(shape.enum[0]) if shape.enum else f"a-{shape.name}"


def _json(shape: Any, seen: tuple[str, ...] = ()) -> Any:
    seen = (*seen, shape.name)
    match shape.type_name:
        case "structure":
            return {name: _json(member, seen) for name, member in _members(shape, seen=seen)}
        case "list":
            return [_json(shape.member, seen)] * 2
        case "map":
            return {_text(shape.key): _json(shape.value, seen)}
        case "timestamp":
            return NOON.timestamp()
        case "boolean":
            return True
        case "integer" | "long" | "float" | "double":
            return 7
    return _text(shape)


def _xml(parent: Element, name: str, shape: Any, seen: tuple[str, ...] = ()) -> None:
    seen, name = (*seen, shape.name), shape.serialization.get("name", name)
    if shape.type_name == "list":
        flat = shape.serialization.get("flattened")
        into = parent if flat else SubElement(parent, name)
        for _ in range(2):
            _xml(into, name if flat else "member", shape.member, seen)
    elif shape.type_name == "structure":
        into = SubElement(parent, name)
        for each, member in _members(shape, seen=seen):
            _xml(into, each, member, seen)
    else:
        SubElement(parent, name).text = _text(shape)
