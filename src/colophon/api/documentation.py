"""The API's specification, made from the operations themselves, and a page that people can read it on."""

from __future__ import annotations

import json
import re
import shlex
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Response, current_app, render_template
from marshmallow import Schema

from .. import passport
from ..errors import PROBLEM
from ..templating import absolute, absolute_url
from .operations import JSON, MERGE_PATCH, Operation, answer, blueprint, operation
from .representations import ProblemDetails

if TYPE_CHECKING:
    from flask import Flask

pages = Blueprint("documentation", __name__)

EVERYWHERE = (400, 401, 406, 429, 503)
FOR_WRITERS = (403,)
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
_ARGUMENT_SHOWN = re.compile(r"{\w+}")
NAMES = {"books": "emma", "authors": "jane-austen", "subjects": "novel"}
ETAG = '"0123456789abcdef01234567"'
EXAMPLE: dict[str, Any] = {
    "title": "The Compleat Angler",
    "authors": [{"name": "Izaak Walton"}],
    "year": 1653,
    "language": "en",
    "subjects": ["Nature"],
    "description": "A fisherman teaches a hunter his craft by the river Lea.",
}


class Call(NamedTuple):
    """An operation where it stands: what the page shows of it."""

    method: str
    path: str
    about: Operation
    parameters: list[tuple[str, str]]
    curl: str

    @property
    def errors(self) -> list[int]:
        """The statuses of its problems."""
        return sorted({*EVERYWHERE, *self.about.errors, *(FOR_WRITERS if self.about.scope else ())})

    @property
    def anchor(self) -> str:
        return f"{self.method.lower()}{re.sub(r'[^a-z]+', '-', self.path)}".strip("-")


@pages.get("/api/docs")
def page() -> str:
    """Show every call with its parameters, its answers and a line to copy."""
    return render_template("pages/api.html", calls=calls(current_app), json_url=absolute_url("api.specification"))


@blueprint.get("/openapi.json")
@operation(summary="Get this specification", answers={200: None})
def specification(parameters: dict[str, Any]) -> Response:  # noqa: ARG001
    return answer(_specification(current_app._get_current_object()))  # type: ignore[attr-defined]


def calls(app: Flask) -> list[Call]:
    """Return every operation of the API, in the order of their addresses."""
    found = []
    for rule in app.url_map.iter_rules():
        about = getattr(app.view_functions[rule.endpoint], "operation", None)
        if about is None:
            continue
        path = _ARGUMENT.sub(r"{\1}", rule.rule)
        parameters = [
            (name, field.metadata.get("description", ""))
            for name, field in (about.parameters or Schema)().fields.items()
        ]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            found.append(Call(method, path, about, parameters, _curl(method, path, about)))
    return sorted(found, key=lambda call: (call.path, ["GET", "POST", "PUT", "PATCH", "DELETE"].index(call.method)))


def _curl(method: str, path: str, about: Operation) -> str:
    """Return a line for a shell that makes the call."""
    kind = path.split("/")[3] if "{" in path else ""
    address = absolute(_ARGUMENT_SHOWN.sub(NAMES.get(kind, ""), path))
    parts = ["curl"]
    if method != "GET":
        parts += ["-X", method]
    if about.scope:
        parts += ["-H", "Authorization: Bearer $TOKEN"]
    if about.conditional:
        parts += ["-H", f"If-Match: {ETAG}"]
    if about.repeatable:
        parts += ["-H", "Idempotency-Key: $(uuidgen)"]
    if about.body:
        sent = {"pages": 474} if MERGE_PATCH in about.content_types else EXAMPLE
        parts += ["-H", f"Content-Type: {about.content_types[0]}", "-d", json.dumps(sent)]
    quoted = (f'"{part}"' if "$" in part else shlex.quote(part) for part in [*parts, address])
    return " ".join(quoted)


@cache
def _specification(app: Flask) -> dict[str, Any]:
    spec = APISpec(
        title="Colophon",
        version=passport.VERSION,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin(schema_name_resolver=_schema_name)],
        info={
            "description": "A catalogue of books. Reading is free; writing needs a token.",
            "license": {"name": "MIT"},
        },
        servers=[{"url": app.extensions["settings"].site_url}],
    )
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    spec.components.schema("Problem", schema=ProblemDetails)
    for call in calls(app):
        spec.path(path=call.path, operations={call.method.lower(): _described(call)})
    written: dict[str, Any] = spec.to_dict()
    return written


def _schema_name(schema: Schema | type[Schema]) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    is_patch = isinstance(schema, Schema) and schema.partial
    return kind.__name__.removesuffix("Schema") + ("Patch" if is_patch else "")


def _described(call: Call) -> dict[str, Any]:
    about = call.about
    described: dict[str, Any] = {
        "operationId": call.anchor,
        "summary": about.summary,
        "description": about.details or about.summary,
        "parameters": _parameters(call),
        "responses": {
            **{str(status): _success(status, schema, about) for status, schema in about.answers.items()},
            **{str(status): _problem(status) for status in call.errors},
        },
        "security": [{"token": []}] if about.scope else [{}, {"token": []}],
    }
    if about.body:
        schema: Any = about.body(partial=True) if MERGE_PATCH in about.content_types else about.body
        described["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": schema} for kind in about.content_types},
        }
    return described


def _success(status: int, schema: type[Schema] | None, about: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if schema is not None:
        described["content"] = {JSON: {"schema": schema}}
    elif status != HTTPStatus.NO_CONTENT:
        described["content"] = {JSON: {"schema": {"type": "object"}}}
    if status != HTTPStatus.NO_CONTENT:
        described["headers"] = {"ETag": {"schema": {"type": "string"}}}
    if status == HTTPStatus.CREATED:
        described["headers"]["Location"] = {"schema": {"type": "string", "format": "uri"}}
    if about.scope:
        described.setdefault("headers", {})["RateLimit"] = {"schema": {"type": "string"}}
    return described


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": HTTPStatus(status).phrase,
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _parameters(call: Call) -> list[Any]:
    found: list[Any] = [
        {"in": "path", "name": name, "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", call.path)
    ]
    if call.about.parameters:
        found.append({"in": "query", "schema": call.about.parameters})
    if call.about.conditional:
        found.append(
            {"in": "header", "name": "If-Match", "required": True, "schema": {"type": "string"}, "example": ETAG}
        )
    if call.about.repeatable:
        key = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x20-\x7e]+$"}
        found.append({"in": "header", "name": "Idempotency-Key", "schema": key})
    return found
