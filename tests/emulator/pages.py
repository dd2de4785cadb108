"""Pages of answers: `maxResults` and `nextToken`, under all their names, wherever AWS's own models have them.

ministack answers with all there is, and this cuts a page from it.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

import botocore.session
import cbor2
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationNotFoundError

from . import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from .model import Json
    from .wire import Answer, Call, Handler

TOKENS = ("nextToken", "NextToken", "Marker", "ContinuationToken")
NEXT = ("nextToken", "NextToken", "NextMarker", "Marker", "NextContinuationToken")
LIMITS = ("maxResults", "MaxResults", "MaxRecords", "MaxItems", "PageSize", "limit", "Limit")
MARK = "page:"


class Paged(NamedTuple):
    """The members of an operation that answers in pages: of its input, and of its output."""

    token: str
    limit: str
    next: str
    lists: tuple[str, ...]


@cache
def _session() -> Any:
    return botocore.session.get_session()


@cache
def paged(service: str, operation: str) -> Paged | None:
    """Return the members of an operation with pages, None for one without."""
    try:
        model = _session().get_service_model(service).operation_model(operation)
    except (UnknownServiceError, OperationNotFoundError):
        return None
    given = model.input_shape.members if model.input_shape else {}
    found = model.output_shape.members if model.output_shape else {}
    token, limit, following = (
        next((name for name in names if name in members), "")
        for names, members in ((TOKENS, given), (LIMITS, given), (NEXT, found))
    )
    lists = tuple(name for name, shape in found.items() if shape.type_name == "list")
    return Paged(token, limit, following, lists) if token and following and lists else None


def in_pages(answer: Handler, largest: Callable[[], int | None]) -> Handler:
    """Answer in pages: as large as the caller wants them, and at most `largest()` items."""

    async def handle(call: Call) -> Answer:
        if call.operation == "ListObjects" and largest():  # ministack has pages of these by itself
            query = call.scope["query_string"] + f"&max-keys={largest()}".encode()
            return await answer(call.changed(scope={**call.scope, "query_string": query}))
        members = None if call.writes else paged(call.service, call.operation)
        if members is None:
            return await answer(call)
        given = call.input
        start, sizes = _start(given.get(members.token)), [given.get(members.limit), largest()]
        size = min((int(size) for size in sizes if size), default=None)
        if start is None or (size is None and not start):
            return await answer(call)
        whole = {name: value for name, value in given.items() if name not in (members.token, members.limit)}
        found = await answer(call.with_input(whole))
        if found.status != 200:
            return found
        return (_cut_xml if call.protocol in wire.XML else _cut)(call, found, members, start, size)

    return handle


def _start(token: object) -> int | None:
    """Return the number of items before a page; None for a token that is not from here."""
    if not token:
        return 0
    try:
        read = base64.b64decode(str(token)).decode()
        return int(read.removeprefix(MARK)) if read.startswith(MARK) else None
    except ValueError:
        return None


def _token(start: int) -> str:
    return base64.b64encode(f"{MARK}{start}".encode()).decode()


def _cut(call: Call, whole: Answer, members: Paged, start: int, size: int | None) -> Answer:
    found: Json = cbor2.loads(whole.body) if call.protocol == "cbor" else json.loads(whole.body)
    items = [(name, item) for name in members.lists for item in found.get(name) or []]
    end = len(items) if size is None else start + size
    for name in members.lists:
        if name in found:
            found[name] = [item for key, item in items[start:end] if key == name]
    if end < len(items):
        found[members.next] = _token(end)
    return wire.json_answer(call, found)


def _cut_xml(call: Call, whole: Answer, members: Paged, start: int, size: int | None) -> Answer:
    root = ElementTree.fromstring(whole.body)
    namespace = root.tag.partition("}")[0].lstrip("{") if root.tag.startswith("{") else ""
    ElementTree.register_namespace("", namespace)
    within = f"{{{namespace}}}" if namespace else ""
    result = root if call.protocol == "ec2" else root.find(f"{within}{call.operation}Result")
    if result is None:
        return whole
    shape = _session().get_service_model(call.service).operation_model(call.operation).output_shape
    names = {name: shape.members[name].serialization.get("name", name) for name in (*members.lists, members.next)}
    lists = [held for name in members.lists if (held := result.find(f"{within}{names[name]}")) is not None]
    items = [(held, item) for held in lists for item in held]
    end = len(items) if size is None else start + size
    for held, item in items[:start] + items[end:]:
        held.remove(item)
    if end < len(items):
        ElementTree.SubElement(result, f"{within}{names[members.next]}").text = _token(end)
        truncated = result.find(f"{within}IsTruncated")
        if truncated is not None:
            truncated.text = "true"
    return wire.Answer(whole.status, whole.headers, ElementTree.tostring(root))
