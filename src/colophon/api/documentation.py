"""The API's documentation for people, generated from the operations."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Blueprint, current_app, render_template
from marshmallow import Schema

from ..web.errors import KINDS
from ..web.kept import kept
from ..web.templating import absolute, absolute_url
from .operations import MERGE_PATCH, Operation

if TYPE_CHECKING:
    from flask import Flask

blueprint = Blueprint("documentation", __name__)

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
    """An operation at its address, as the page shows it."""

    method: str
    path: str
    about: Operation
    parameters: list[tuple[str, str]]
    curl: str

    @property
    def answers(self) -> list[int]:
        """The statuses of success, and 304 for a GET."""
        return [*self.about.answers, *((304,) if self.method == "GET" else ())]

    @property
    def anchor(self) -> str:
        """The operation's id on the page and in the specification."""
        return f"{self.method.lower()}{re.sub(r'[^a-z]+', '-', self.path)}".strip("-")


@blueprint.get("/api/docs")
@kept
def page() -> str:
    """Show the kinds of problems, and every call with its parameters, its responses and a curl command."""
    return render_template(
        "pages/api.html", calls=calls(current_app), kinds=KINDS, json_url=absolute_url("api.specification")
    )


def calls(app: Flask) -> list[Call]:
    """Return every operation of the API by its address."""
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
    """Return a curl command that makes the call."""
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
