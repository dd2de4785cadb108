"""A program that uses the API, as the tests play one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.colophon.api.apicheck import specification

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.test import TestResponse

ANGLER: dict[str, Any] = {
    "title": "The Compleat Angler",
    "authors": [{"name": "Izaak Walton"}],
    "year": 1653,
    "language": "en",
    "subjects": ["Nature", "Essays"],
    "description": "A fisherman teaches a hunter his craft by the river Lea.",
}


class Program:
    """A client of the API that shows a token with every request."""

    def __init__(self, app: Flask, token: str | None) -> None:
        self.app = app
        self._client = app.test_client()
        self._specification = specification(self._client)
        self.token = token

    def __call__(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> TestResponse:
        """Return an answer. Raises AssertionError when it is not as the specification says."""
        shown = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        response = self._client.open(f"/api/v1{path}", method=method, headers=shown | (headers or {}), **options)
        broken = list(self._specification.broken_by(method, response.request.path, response))
        assert not broken, f"{method} {path}:\n  " + "\n  ".join(broken)
        return response

    def get(self, path: str, **options: Any) -> TestResponse:
        return self("GET", path, **options)

    def add(self, **fields: Any) -> TestResponse:
        return self("POST", "/books", json=ANGLER | fields)

    def tag(self, name: str) -> dict[str, str]:
        """Return the header that says which state of a book was seen."""
        return {"If-Match": self.get(f"/books/{name}").headers["ETag"]}
