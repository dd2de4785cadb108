"""Well-known files for programs: the feed, sitemaps, release.json, robots.txt, security.txt and the icon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, redirect, render_template, url_for

from ..catalogue.reading import Catalogue
from . import state
from .compression import cached
from .kept import kept
from .templating import asset

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as BaseResponse

blueprint = Blueprint("well_known", __name__)

FEED_ENTRIES = 20
MINUTE, HOUR, DAY = 60, 3600, 86_400
# sitemaps.org allows 50,000 addresses a file. A file of this many fits into the buffers of the edge.
SITEMAP_ENTRIES = 2000
SECURITY_TXT_DAYS = 180


@blueprint.get("/feed.atom")
@kept
def atom() -> Response:
    """Return the feed of the latest additions."""
    catalogue = Catalogue(state.connection())
    changed = catalogue.changed_at() or datetime.fromtimestamp(0, UTC)
    return cached(
        render_template("well_known/feed.xml", books=catalogue.newest(FEED_ENTRIES), changed=changed),
        "application/atom+xml",
        5 * MINUTE,
    )


@blueprint.get("/sitemap.xml")
@kept
def sitemap() -> Response:
    """Return the index of the sitemaps: one of pages, and as many of books as needed."""
    total = Catalogue(state.connection()).totals().books
    files = range(1, -(-total // SITEMAP_ENTRIES) + 1)
    return cached(render_template("well_known/sitemap_index.xml", files=files), "application/xml", HOUR)


@blueprint.get("/sitemap-pages.xml")
@kept
def sitemap_pages() -> Response:
    """Return the sitemap of the pages other than books."""
    names = ("home", "books", "authors", "subjects", "colophon", "about")
    paths = [*(url_for(f"pages.{name}") for name in names), url_for("documentation.page")]
    return cached(render_template("well_known/sitemap.xml", paths=paths), "application/xml", HOUR)


@blueprint.get("/sitemap-books-<int:number>.xml")
@kept
def sitemap_books(number: int) -> Response:
    """Return one sitemap of books, numbered from 1."""
    slugs = Catalogue(state.connection()).slugs(number, SITEMAP_ENTRIES) if 0 < number < 10_000_000 else []
    if not slugs:
        abort(404)
    paths = [url_for("pages.book", slug=slug) for slug in slugs]
    return cached(render_template("well_known/sitemap.xml", paths=paths), "application/xml", HOUR)


@blueprint.get("/robots.txt")
@kept
def robots() -> Response:
    """Return robots.txt."""
    return cached(render_template("well_known/robots.txt"), "text/plain", DAY)


@blueprint.get("/opensearch.xml")
@kept
def opensearch() -> Response:
    """Return the description of the search for browsers."""
    return cached(render_template("well_known/opensearch.xml"), "application/opensearchdescription+xml", DAY)


@blueprint.get("/release.json")
def release() -> Response:
    """Return the passport of the running release, which no cache may store."""
    response = Response(state.current().release.json(), mimetype="application/json")
    response.cache_control.no_store = True
    return response


@blueprint.get("/.well-known/security.txt")
def security() -> Response:
    """Return security.txt: where to report a vulnerability (RFC 9116)."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    expires = midnight + timedelta(days=SECURITY_TXT_DAYS)
    return cached(render_template("well_known/security.txt", expires=expires), "text/plain", DAY)


@blueprint.get("/favicon.ico")
def favicon() -> BaseResponse:
    """Redirect browsers that request this address by default to the icon."""
    return redirect(asset("favicon.svg"), 301)
