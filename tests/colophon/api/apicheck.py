"""What every answer of the API must obey, checked on each that a test is given: it is as the specification says."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import schemathesis

from tests.pagecheck import Soup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

# Headers that an answer may have whatever it answers, beside those that all answers of the site have.
GENERAL = {"content-encoding", "date", "vary"}


class Specification:
    """The specification that a site gives out, against which the answers of its API are held."""

    def __init__(self, document: dict[str, Any], kinds: set[str], general: frozenset[str]) -> None:
        """Make it of the document, the types of problem that a page tells of, and the headers that every answer has."""
        self._paths: dict[str, Any] = document["paths"]
        self._components: dict[str, Any] = document["components"]
        self._kinds = kinds
        self._general = general | GENERAL
        self._operations = schemathesis.openapi.from_dict(document)

    def broken_by(self, method: str, path: str, response: TestResponse) -> Iterator[str]:
        """Yield one sentence for each way in which an answer is not as it is said to be. Raises for a wrong body."""
        known = next((known for known in self._paths if re.fullmatch(re.sub(r"{\w+}", "[^/]+", known), path)), None)
        if known is None or method == "OPTIONS" or response.status_code == 500:
            return
        operation = self._paths[known].get("get" if method == "HEAD" else method.lower())
        if operation is None and response.status_code != 405:
            yield f"{method} is not described, but answers {response.status_code}"
            return
        # How another method is refused is said by those that the address knows.
        answers = (operation or next(iter(self._paths[known].values())))["responses"]
        described = answers.get(str(response.status_code))
        if described is None:
            yield f"the status {response.status_code} is not described"
            return
        yield from self._wrong_headers(self._found(described).get("headers", {}), response)
        if response.mimetype == "application/problem+json" and response.data:
            yield from self._untold_kind(json.loads(response.data))
        if operation and response.data and not response.content_encoding:
            self._operations[known][method].validate_response(response)

    def _wrong_headers(self, described: dict[str, Any], response: TestResponse) -> Iterator[str]:
        said = {name.lower() for name in described}
        sent = {name.lower() for name, _ in response.headers}
        for name in sorted(sent - said - self._general):
            yield f"the header {name} is not described for {response.status_code}"
        for name, header in described.items():
            if self._found(header)["required"] and name.lower() not in sent:
                yield f"the header {name} is missing from {response.status_code}"

    def _untold_kind(self, problem: dict[str, Any]) -> Iterator[str]:
        if problem["type"] not in self._kinds | {"about:blank"}:
            yield f"no page tells of problems of the type {problem['type']}"

    def _found(self, described: dict[str, Any]) -> dict[str, Any]:
        """Return what is described: here, or where a reference leads."""
        if "$ref" not in described:
            return described
        _, _, section, name = described["$ref"].split("/")
        found: dict[str, Any] = self._components[section][name]
        return found


def specification(client: FlaskClient) -> Specification:
    """Return the specification that a site gives out."""
    general = frozenset(name.lower() for name, _ in client.get("/nowhere").headers)
    return _made_of(client.get("/api/v1/openapi.json").text, client.get("/api/docs").text, general)


@cache
def _made_of(document: str, page: str, general: frozenset[str]) -> Specification:
    kinds = {f"/api/docs#{item['id']}" for item in Soup(page).select("#problems + div li[id]")}
    return Specification(json.loads(document), kinds, general)
