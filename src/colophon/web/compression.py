"""Compression with gzip, and ETags."""

from __future__ import annotations

import gzip
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

if TYPE_CHECKING:
    from collections.abc import Iterable

# Compressing fewer bytes saves no packet.
WORTH_COMPRESSING = 1000
LEVEL = 5


def init_app(app: Flask) -> None:
    """Compress and tag every response."""
    app.after_request(_compress_and_tag)


def cached(body: str | Iterable[str], mimetype: str, seconds: int) -> Response:
    """Return a response that caches, shared ones too, may store for some seconds."""
    response = Response(body, mimetype=mimetype)
    response.cache_control.public = True
    response.cache_control.max_age = seconds
    return response


def entity_tag(body: bytes) -> str:
    """Return the strong ETag of a body (RFC 9110, 8.8.3)."""
    return blake2b(body, digest_size=12).hexdigest()


def accepts_gzip(accept_encoding: str) -> bool:
    """Return True if a header Accept-Encoding allows gzip in its first 200 characters."""
    return _accepts_gzip(accept_encoding[:200])  # visitors choose what is remembered


@lru_cache(maxsize=64)
def _accepts_gzip(accept_encoding: str) -> bool:
    return parse_accept_header(accept_encoding, Accept)["gzip"] > 0


def _compress_and_tag(response: Response) -> Response:
    if response.mimetype == "text/html":
        response.vary.add("Cookie")  # the colour mode
    if not response.cache_control:
        response.cache_control.private = True
        response.cache_control.no_cache = True
    body = response.get_data()
    tag = entity_tag(body)
    if len(body) >= WORTH_COMPRESSING:
        response.vary.add("Accept-Encoding")
        if accepts_gzip(request.headers.get("Accept-Encoding", "")):
            response.set_data(gzip.compress(body, LEVEL, mtime=0))
            response.headers["Content-Encoding"] = "gzip"
            tag += "-gzip"
    if response.status_code == 200 and request.method in ("GET", "HEAD"):
        response.set_etag(tag)
    return response
