"""The content of an answer of AWS's API in the names of botocore's models, whatever the protocol.

Unlike botocore's own parsers it drops nothing: a member that the model does not have keeps its name, in angle brackets.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import cbor2
from botocore.utils import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Element = ElementTree.Element
Read = dict[str, Any]


def read(operation: Any, headers: Mapping[str, str], body: bytes) -> Read:
    """Return what a good answer to an operation says. Raises ValueError where it cannot be read."""
    shape, protocol = operation.output_shape, operation.service_model.metadata["protocol"]
    if protocol == "rest-xml":
        return _rest(shape, headers, body) if shape else {}
    if protocol not in ("query", "ec2"):
        named: Read = _named(shape, plain(headers, body))
        return named
    root = _parsed(body)
    # https://smithy.io/2.0/aws/protocols/aws-query-protocol.html, "Response serialization"
    wrapper = shape.serialization.get("resultWrapper") if shape else f"{operation.name}Result"
    inner = [part for node in root if _tag(node) == wrapper for part in node]
    outer = [node for node in root if _tag(node) not in (wrapper, "ResponseMetadata", "requestId")]
    return _structure(shape, [*inner, *outer])


def plain(headers: Mapping[str, str], body: bytes) -> Any:
    """Return what JSON or CBOR says."""
    if not body.strip():
        return {}
    return cbor2.loads(body) if "cbor" in headers.get("content-type", "") else json.loads(body)


def error(operation: Any, headers: Mapping[str, str], body: bytes) -> str:
    """Return the code of an error; empty where the answer has no content."""
    if not body.strip():
        return ""
    if operation.service_model.metadata["protocol"] in ("query", "ec2", "rest-xml"):
        return next((node.text or "" for node in _parsed(body).iter() if _tag(node) == "Code"), "")
    return str(plain(headers, body).get("__type", "")).rpartition("#")[2].partition(":")[0]


def _parsed(body: bytes) -> Element:
    try:
        return ElementTree.fromstring(body)
    except ElementTree.ParseError as wrong:
        raise ValueError(f"no XML: {wrong}") from None


def _known(members: Mapping[str, Any], found: Mapping[str, Any], of: Callable[[Any, Any], Any]) -> Read:
    """Return what was found by its name on the wire as the members of a structure."""
    names = {_wire_name(name, member): (name, member) for name, member in members.items()}
    values = {names[key][0]: of(names[key][1], value) for key, value in found.items() if key in names}
    return {**values, **{f"<{key}>": value for key, value in found.items() if key not in names}}


def _wire_name(name: str, member: Any) -> str:
    flat = member.type_name == "list" and member.serialization.get("flattened")
    found: str = (flat and member.member.serialization.get("name")) or member.serialization.get("name", name)
    return found


def _named(shape: Any, value: Any) -> Any:
    kind = shape.type_name if shape else "structure"
    if kind == "structure" and isinstance(value, dict):
        # botocore takes null for a member that is not there.
        present = {key: inner for key, inner in value.items() if inner is not None}
        return _known(shape.members if shape else {}, present, _named)
    if kind == "list" and isinstance(value, list):
        return [_named(shape.member, inner) for inner in value]
    if kind == "map" and isinstance(value, dict):
        return {key: _named(shape.value, inner) for key, inner in value.items()}
    return _time(value) if kind == "timestamp" and shape.serialization.get("timestampFormat") else value


def _rest(shape: Any, headers: Mapping[str, str], body: bytes) -> Read:
    placed = {name: each for name, each in shape.members.items() if each.serialization.get("location") == "header"}
    found = {name: headers.get(each.serialization["name"].lower()) for name, each in placed.items()}
    result = {name: _scalar(placed[name], text) for name, text in found.items() if text is not None}
    payload = shape.serialization.get("payload")
    whole = shape.members[payload] if payload else shape
    if not body.strip() or whole.type_name != "structure":
        return result
    content = _structure(whole, [*_parsed(body)])
    return {**result, **({payload: content} if payload else content)}


def _structure(shape: Any, nodes: list[Element]) -> Read:
    found: dict[str, list[Element]] = {}
    for node in nodes:
        found.setdefault(_tag(node), []).append(node)
    members = shape.members.items() if shape else ()
    return _known({name: each for name, each in members if not each.serialization.get("location")}, found, _member)


def _member(shape: Any, nodes: list[Element]) -> Any:
    """Return a member from its elements, of which only a flattened one may have several."""
    entries = nodes if shape.serialization.get("flattened") else [*nodes[0]]
    if shape.type_name == "list":
        return [_member(shape.member, [entry]) for entry in entries]
    if shape.type_name == "map":
        key, value = shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")
        pairs = [{_tag(part): part for part in entry} for entry in entries]
        return {pair[key].text: _member(shape.value, [pair[value]]) for pair in pairs}
    if len(nodes) > 1:
        return nodes
    return _structure(shape, entries) if shape.type_name == "structure" else _scalar(shape, nodes[0].text or "")


def _tag(node: Element) -> str:
    return node.tag.rpartition("}")[2]


def _scalar(shape: Any, text: str) -> Any:
    """Return a text as its shape's type; one that is of another type stays a text, which is then the wrong type."""
    if shape.type_name == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if shape.type_name == "timestamp":
        return _time(text)
    try:
        if shape.type_name in ("integer", "long"):
            return int(text)
        if shape.type_name in ("double", "float"):
            return float(text)
    except ValueError:
        return text
    return text


def _time(text: Any) -> Any:
    try:
        return parse_timestamp(text)
    except (TypeError, ValueError):
        return text
