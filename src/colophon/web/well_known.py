"""What programs that visit a site look for: the feed of additions, sitemaps, which release this is, and the other
well-known files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, redirect, render_template, url_for

from ..catalogue.reading import Catalogue
from . import state
from .compression import cached
from .templating import asset

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as BaseResponse

blueprint = Blueprint("well_known", __name__)

FEED_ENTRIES = 20
MINUTE, HOUR, DAY = 60, 3600, 86_400
# The protocol of sitemaps.org allows 50,000 addresses a file; smaller files are read sooner.
SITEMAP_ENTRIES = 10_000
SECURITY_TXT_DAYS = 180


@blueprint.get("/feed.atom")
def atom() -> Response:
    catalogue = Catalogue(state.connection())
    changed = catalogue.changed_at() or datetime.now(UTC)
    return cached(
        render_template("well_known/feed.xml", books=catalogue.newest(FEED_ENTRIES), changed=changed),
        "application/atom+xml",
        5 * MINUTE,
    )


@blueprint.get("/sitemap.xml")
def sitemap() -> Response:
    """The index of the sitemaps: one of pages, and as many of books as it takes."""
    total = Catalogue(state.connection()).totals().books
    files = range(1, -(-total // SITEMAP_ENTRIES) + 1)
    return cached(render_template("well_known/sitemap_index.xml", files=files), "application/xml", HOUR)


@blueprint.get("/sitemap-pages.xml")
def sitemap_pages() -> Response:
    names = ("home", "books", "authors", "subjects", "colophon", "about")
    paths = [*(url_for(f"pages.{name}") for name in names), url_for("documentation.page")]
    return cached(render_template("well_known/sitemap.xml", paths=paths), "application/xml", HOUR)


@blueprint.get("/sitemap-books-<int:number>.xml")
def sitemap_books(number: int) -> Response:
    slugs = Catalogue(state.connection()).slugs(number, SITEMAP_ENTRIES) if 0 < number < 10_000_000 else []
    if not slugs:
        abort(404)
    paths = [url_for("pages.book", slug=slug) for slug in slugs]
    return cached(render_template("well_known/sitemap.xml", paths=paths), "application/xml", HOUR)


@blueprint.get("/robots.txt")
def robots() -> Response:
    return cached(render_template("well_known/robots.txt"), "text/plain", DAY)


@blueprint.get("/opensearch.xml")
def opensearch() -> Response:
    return cached(render_template("well_known/opensearch.xml"), "application/opensearchdescription+xml", DAY)


@blueprint.get("/release.json")
def release() -> Response:
    """The passport of the release that answers; kept nowhere, so that whoever asks is answered by the site itself."""
    response = Response(state.current().release.json(), mimetype="application/json")
    response.cache_control.no_store = True
    return response


@blueprint.get("/.well-known/security.txt")
def security() -> Response:
    """Whom to tell of a weakness (RFC 9116)."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    expires = midnight + timedelta(days=SECURITY_TXT_DAYS)
    return cached(render_template("well_known/security.txt", expires=expires), "text/plain", DAY)


@blueprint.get("/favicon.ico")
def favicon() -> BaseResponse:
    """Lead the browsers that ask at this address, unasked, to the icon."""
    return redirect(asset("favicon.svg"), 301)
