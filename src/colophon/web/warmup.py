"""Warm-up of the server before it forks its workers.

Forked processes share memory until one writes there: the templates, compiled queries and cached pages of the first
process are in every worker, and in memory once.
"""

from __future__ import annotations

import gc
import logging
import time
from typing import TYPE_CHECKING

from werkzeug.test import Client

from . import request_log as logs
from . import state

if TYPE_CHECKING:
    from flask import Flask

# Readiness, then the pages of the navigation, a search, and the API's first page.
PATHS = ("/readyz", "/", "/books", "/books?q=a", "/authors", "/subjects", "/colophon", "/about", "/api/v1/books")
SECONDS = 5.0  # after which the site starts as it is

log = logging.getLogger(__name__)


def warm_up(app: Flask) -> None:
    """Load what the first visitors need, in a process without other threads that is about to fork.

    A page that fails, as when the database is unavailable, ends the warm-up, not the start.
    """
    for name in app.jinja_env.list_templates():
        app.jinja_env.get_template(name)
    try:
        with logs.unlogged():
            _request_pages(app, time.monotonic() + SECONDS)
    finally:
        # Two processes on one connection would read each other's results.
        state.of(app).engine.dispose()
    # The garbage collector writes to every object that it tracks, and each worker would get a copy of them all.
    gc.collect()
    gc.freeze()


def _request_pages(app: Flask, deadline: float) -> None:
    client = Client(app, use_cookies=False)
    for path in PATHS:
        if time.monotonic() > deadline:
            log.warning("the warm-up stopped before %s: the database is slow", path)
            return
        response = client.get(path, base_url=state.of(app).settings.site_url, headers={"Accept-Encoding": "gzip"})
        if response.status_code != 200:
            log.warning("the warm-up stopped at %s, which answered %s", path, response.status)
            return
