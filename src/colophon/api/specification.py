"""The API's specification (OpenAPI 3.1), generated from the operations."""

from __future__ import annotations

import re
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import current_app
from marshmallow import Schema

from ..release import passport
from ..web import state
from ..web.errors import PROBLEM
from .documentation import ETAG, calls
from .operations import JSON, MERGE_PATCH, blueprint, json_response, operation
from .representations import ListPage, ProblemDetails

if TYPE_CHECKING:
    from flask import Flask, Response

    from .documentation import Call


def _header(description: str, *, always: bool = True, **schema: Any) -> dict[str, Any]:
    return {"description": description, "required": always, "schema": {"type": "string"} | schema}


HEADERS = {
    "ETag": _header("The version of the representation, to send in If-None-Match, or with a change in If-Match."),
    "Link": _header("Other pages of the list: first, prev, next, last (RFC 8288).", always=False),
    "Location": _header("The address of the new book.", format="uri"),
    "Idempotency-Replayed": _header("The key was used before: nothing was added.", always=False, enum=["true"]),
    "WWW-Authenticate": _header("The authentication scheme, and the token's error (RFC 6750).", always=False),
    "Allow": _header("The methods that this address accepts."),
    "Accept-Post": _header("The content types that may be sent.", always=False),
    "Accept-Patch": _header("The content types that may be sent.", always=False),
    "Retry-After": _header("Seconds to wait before the next request.", type="integer"),
    "RateLimit-Policy": _header("The limit that this request counts towards.", always=False),
    "RateLimit": _header("The uses that remain, and the seconds until the limit is reset.", always=False),
}
LIMITS = ("RateLimit-Policy", "RateLimit")
OF_PROBLEMS = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    405: ("Allow",),
    415: ("Accept-Post", "Accept-Patch"),
    429: ("Retry-After",),
    503: ("Retry-After",),
}


@blueprint.get("/openapi.json")
@operation(summary="Get this specification", answers={200: None})
def specification() -> Response:
    """Return the specification."""
    return json_response(_specification(current_app._get_current_object()))  # type: ignore[attr-defined]


@cache
def _specification(app: Flask) -> dict[str, Any]:
    spec = APISpec(
        title="Colophon",
        version=passport.VERSION,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin(schema_name_resolver=_schema_name)],
        info={
            "description": "A catalogue of books. Reading is free; writing needs a token.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        servers=[{"url": state.of(app).settings.site_url}],
    )
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    spec.components.schema("Problem", schema=ProblemDetails)
    for name, described in HEADERS.items():
        spec.components.header(name, described)
    found = calls(app)
    for status in sorted({status for call in found for status in call.about.problems}):
        spec.components.response(_problem_name(status), _problem(status))
    for call in found:
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
            **{str(status): _success(status, call) for status in call.answers},
            **{str(status): _problem_name(status) for status in about.problems},
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


def _success(status: int, call: Call) -> dict[str, Any]:
    about = call.about
    headers = ["ETag"] if status != HTTPStatus.NO_CONTENT else []
    if any(schema and issubclass(schema, ListPage) for schema in about.answers.values()):
        headers.append("Link")
    if status == HTTPStatus.CREATED:
        headers.append("Location")
    if about.repeatable:
        headers.append("Idempotency-Replayed")
    if about.scope:
        headers += LIMITS
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase, "headers": _references(headers)}
    if status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        described["content"] = {JSON: {"schema": about.answers[status] or {"type": "object"}}}
    return described


def _problem_name(status: int) -> str:
    return f"Problem{status}"


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": HTTPStatus(status).phrase,
        "headers": _references([*OF_PROBLEMS.get(status, ()), *LIMITS]),
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _references(headers: list[str]) -> dict[str, dict[str, str]]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in headers}


def _parameters(call: Call) -> list[Any]:
    found: list[Any] = [
        {"in": "path", "name": name, "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", call.path)
    ]
    if call.about.parameters:
        found.append({"in": "query", "schema": call.about.parameters})
    if HTTPStatus.NOT_MODIFIED in call.answers:
        found.append({"in": "header", "name": "If-None-Match", "schema": {"type": "string"}, "example": ETAG})
    if call.about.conditional:
        found.append(
            {"in": "header", "name": "If-Match", "required": True, "schema": {"type": "string"}, "example": ETAG}
        )
    if call.about.repeatable:
        key = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x20-\x7e]+$"}
        found.append({"in": "header", "name": "Idempotency-Key", "schema": key})
    return found
