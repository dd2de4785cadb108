"""The filters and globals of templates, and the built assets."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, request, url_for
from whitenoise import WhiteNoise

from ..catalogue.languages import language_name
from . import state
from .security import HEADERS

if TYPE_CHECKING:
    from datetime import date, datetime
    from wsgiref.types import WSGIApplication

    from whitenoise.responders import Headers

COLOUR_MODES = ("light", "dark", "auto")
COLOUR_COOKIE = "colour_mode"
SITE_NAME = "Colophon"
STATIC = Path(__file__).parents[1] / "static"
_HASHED = re.compile(r"\.[0-9a-f]{8,}\.")

_manifest: dict[str, str] = json.loads((STATIC / "manifest.json").read_text(encoding="utf-8"))["files"]


def init_app(app: Flask) -> None:
    """Configure Jinja."""
    site = state.of(app)
    env = app.jinja_env
    env.trim_blocks = env.lstrip_blocks = env.keep_trailing_newline = True
    env.filters |= {"year": year, "language_name": language_name, "thousands": thousands, "plural": plural}
    env.filters |= {"day": day, "moment": moment, "duration": duration}
    env.globals |= {"asset": asset, "site_name": SITE_NAME, "release": site.release}
    env.globals |= {
        "absolute": absolute,
        "absolute_url": absolute_url,
        "security_contact": site.settings.security_contact,
    }

    def for_this_request() -> dict[str, Any]:
        canonical = absolute(request.path) if request.url_rule else None
        return {"canonical": canonical, "colour_mode": colour_mode()}

    app.context_processor(for_this_request)


def absolute(path: str) -> str:
    """Return the address that visitors use for a path of the site."""
    return state.current().settings.site_url + path


def absolute_url(endpoint: str, **values: Any) -> str:
    """Return the address that visitors use for an endpoint, without the values that are None."""
    return absolute(url_for(endpoint, **values))


def colour_mode() -> str:
    """Return the visitor's choice of light or dark; 'auto' leaves it to their device."""
    chosen = request.cookies.get(COLOUR_COOKIE, "auto")
    return chosen if chosen in COLOUR_MODES else "auto"


def asset(name: str) -> str:
    """Return the URL of a built asset, whose name has a hash of its bytes in it. Raises KeyError."""
    return f"/static/{_manifest[name]}"


def static_files(app: WSGIApplication) -> WSGIApplication:
    """Return an app that serves the assets, precompressed and cached for ever, and passes the rest to another."""

    def add_headers(headers: Headers, _path: str, _url: str) -> None:
        for name in ("X-Content-Type-Options", "Cross-Origin-Resource-Policy"):
            headers[name] = HEADERS[name]

    served: WSGIApplication = WhiteNoise(
        app,
        root=STATIC,
        prefix="static",
        allow_all_origins=False,
        immutable_file_test=lambda _path, url: bool(_HASHED.search(url)),
        add_headers_function=add_headers,
    )
    return served


def year(number: int, circa: bool = False) -> str:
    """Return a year for people: 1847, '476 CE', '750 BCE' for -750, 'c. 750 BCE' for an approximate one."""
    written = f"{-number} BCE" if number < 0 else f"{number} CE" if number < 1000 else str(number)
    return f"c. {written}" if circa else written


def thousands(number: int) -> str:
    """Return a number with commas between thousands."""
    return f"{number:,}"


def plural(number: int, one: str, many: str) -> str:
    """Return a number with its noun: '1 book', '1,200 books'."""
    return f"{number:,} {one if number == 1 else many}"


def day(date: date) -> str:
    """Return a day for people: '1 May 2027'."""
    return f"{date.day} {date:%B %Y}"


def moment(time: datetime) -> str:
    """Return a moment for people: '21 November 2026, 10:00 UTC'."""
    return f"{day(time)}, {time:%H:%M} UTC"


def duration(seconds: float) -> str:
    """Return a rounded length of time for people: '4 minutes 12 seconds', '2.5 seconds'."""
    if seconds < 10:
        return f"{seconds:.1f} seconds"
    minutes, rest = divmod(round(seconds), 60)
    parts = [plural(minutes, "minute", "minutes")] * bool(minutes) + [plural(rest, "second", "seconds")] * bool(rest)
    return " ".join(parts)
