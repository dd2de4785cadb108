"""Responses that are kept until the catalogue changes: which they are, the name of their state, and their store.

A kept response depends on the release, its settings and the catalogue, and of the request on nothing but host, path,
query, colour mode and encoding. A header names the state it was made of, by which the edge keeps it, too.
"""

from __future__ import annotations

import math
import time
from hashlib import blake2b
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from flask import Flask, Response, current_app, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import Headers
from werkzeug.http import http_date, is_resource_modified, remove_entity_headers

from ..catalogue.reading import Catalogue
from . import state
from .compression import accepts_gzip
from .templating import COLOUR_COOKIE, COLOUR_MODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from sqlalchemy import Connection

    from .state import State

    View = TypeVar("View", bound=Callable[..., Any])
    Variant = tuple[str, str, str, str, bool]

HEADER = "Colophon-State"
# nginx keeps what has this, and requests it anew each time: it is past. The edge does so for the last good page.
LAST_GOOD = ("X-Accel-Expires", "@1")
# Seconds that a process remembers the name, and after which one request reads it anew while the others go on.
REMEMBERED, RENEWED = 0.5, 0.25
clock = time.monotonic

_KEY = "colophon.kept_as"
# No cookie, or the colour mode alone: with any other, nothing is kept.
_COLOUR_MODES = {"": "auto"} | {f"{COLOUR_COOKIE}={mode}": mode for mode in COLOUR_MODES}
_UNKEPT = ("HTTP_AUTHORIZATION", "HTTP_IF_MATCH", "HTTP_TRANSFER_ENCODING")
# What must not wait for the database, or reads it afresh.
_UNKEPT_PATHS = ("/healthz", "/readyz", "/static/", "/release.json", "/api/v")
_views: set[Callable[..., Any]] = set()


class Kept(NamedTuple):
    """A response in memory, which is a WSGI app."""

    body: bytes
    tag: str
    headers: list[tuple[str, str]]
    headers_of_304: list[tuple[str, str]]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond as Flask did, or by 304 to a client that has the body."""
        date = ("Date", http_date())
        if "HTTP_IF_NONE_MATCH" in environ and not is_resource_modified(environ, self.tag):
            start_response("304 NOT MODIFIED", [*self.headers_of_304, date])
            return ()
        start_response("200 OK", [*self.headers, date])
        return () if environ["REQUEST_METHOD"] == "HEAD" else (self.body,)


def kept(view: View) -> View:
    """Mark a view whose responses of 200 may be kept."""
    _views.add(view)
    return view


def init_app(app: Flask) -> None:
    """Keep the responses that may be kept, once they have all other headers, and answer conditional requests."""
    app.after_request(_keep_and_make_conditional)


def state_name(site: State, db: Connection) -> str:
    """Return the name of all that a kept response depends on but the request, as the database is now."""
    parts = (site.release.name, site.settings, Catalogue(db).state)
    return blake2b(repr(parts).encode(), digest_size=8).hexdigest()


class KeptResponses:
    """WSGI middleware that answers from the store, and else lets the app answer for it."""

    def __init__(self, app: WSGIApplication, site: State) -> None:
        self._app = app
        self._site = site
        self._last_read: tuple[float, str | None] = (-math.inf, None)
        self._reading = Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        if (variant := _variant(environ)) and (name := self._state_name()):
            key = (name, *variant)
            if response := self._site.kept.get(key):
                return response(environ, start_response)
            environ[_KEY] = key
        return self._app(environ, start_response)

    def _state_name(self) -> str | None:
        """Return the name as it was at most REMEMBERED seconds ago, None if that is unknown."""
        read_at, name = self._last_read
        age = clock() - read_at
        if age > RENEWED and self._reading.acquire(blocking=False):
            try:
                self._last_read = clock(), self._read()
                return self._last_read[1]
            finally:
                self._reading.release()
        return name if age <= REMEMBERED else None

    def _read(self) -> str | None:
        try:
            with self._site.engine.connect() as db:
                return state_name(self._site, db)
        except SQLAlchemyError:
            return None  # the app says so


def _variant(environ: WSGIEnvironment) -> Variant | None:
    """Return all of a request that a kept response may depend on, None for a request that can have none."""
    path = environ["PATH_INFO"]
    mode = _COLOUR_MODES.get(environ.get("HTTP_COOKIE", ""))
    if mode is None or environ["REQUEST_METHOD"] not in ("GET", "HEAD") or path.startswith(_UNKEPT_PATHS):
        return None
    if any(map(environ.__contains__, _UNKEPT)):
        return None
    gzip = accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", ""))
    return environ.get("HTTP_HOST", ""), path, environ.get("QUERY_STRING", ""), mode, gzip


def _keep_and_make_conditional(response: Response) -> Response:
    if response.status_code != 200 or request.method not in ("GET", "HEAD"):
        return response
    key = request.environ.get(_KEY)
    if key and current_app.view_functions[str(request.endpoint)] in _views:
        response.headers[HEADER] = key[0]
        response.headers.add(*LAST_GOOD)
        headers = response.get_wsgi_headers(request.environ)
        lasting = Headers(headers)
        remove_entity_headers(lasting)
        kept_response = Kept(response.get_data(), headers["ETag"], headers.to_wsgi_list(), lasting.to_wsgi_list())
        state.current().kept.put(key, kept_response)
    response.make_conditional(request)
    return response
