"""The site with one page more, /slow, for bench/health.py."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import colophon

if TYPE_CHECKING:
    from flask import Flask

SECONDS = 3
APP = f"{__name__}:create_app()"  # as gunicorn names it


def create_app() -> Flask:
    app = colophon.create_app()

    @app.get("/slow")
    def slow() -> str:
        time.sleep(SECONDS)
        return "slow"

    return app
