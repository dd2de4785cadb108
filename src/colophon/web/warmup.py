"""What is worked out once, before the server forks its workers, in place of by each of them for its first visitors.

A process shares its memory with those that it forks, until either writes there: templates, compiled queries and
remembered pages that the first process has are in all workers, and in memory once.
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

# Whether the site can serve at all; then what the navigation leads to, a search, and what programs ask for first.
PATHS = ("/readyz", "/", "/books", "/books?q=a", "/authors", "/subjects", "/colophon", "/about", "/api/v1/books")
SECONDS = 5.0  # after which the site starts as warm as it is

log = logging.getLogger(__name__)


def warm_up(app: Flask) -> None:
    """Make a process that has no other thread ready to be forked, with what visitors ask for first in its memory.

    A page that cannot be had, as when the database is out of reach, ends the warm-up and not the start.
    """
    for name in app.jinja_env.list_templates():
        app.jinja_env.get_template(name)
    logs.log.disabled = True  # nobody visits
    try:
        _ask_for_pages(app, time.monotonic() + SECONDS)
    finally:
        logs.log.disabled = False
        # Two processes that used one connection would read each other's answers.
        state.of(app).engine.dispose()
    # The garbage collector writes to every object that it watches: each worker would come to have a copy of them all.
    gc.collect()
    gc.freeze()


def _ask_for_pages(app: Flask, deadline: float) -> None:
    client = Client(app, use_cookies=False)
    for path in PATHS:
        if time.monotonic() > deadline:
            log.warning("the warm-up ends before %s: the database is slow", path)
            return
        response = client.get(path, base_url=state.of(app).settings.site_url, headers={"Accept-Encoding": "gzip"})
        if response.status_code != 200:
            log.warning("the warm-up ends at %s, which was answered by %s", path, response.status)
            return
