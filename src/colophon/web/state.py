"""The state of an app, and the database connection of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import Flask, current_app, g

from .. import database
from ..catalogue.cache import LRUCache

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from ..release.passport import Passport
    from ..settings import Settings
    from .kept import Kept

KEPT_SIZE = 24_000_000  # bytes of memory


@dataclass(frozen=True)
class State:
    """One app's settings, release and database, and the responses that it keeps, which name its release."""

    settings: Settings
    release: Passport
    engine: Engine
    kept: LRUCache[Kept]


def init_app(app: Flask, settings: Settings, release: Passport) -> None:
    """Give an app its state, and each request a connection that is closed at its end."""
    engine = database.connect(
        settings.database_url,
        pool_size=settings.database_pool_size,
        statement_timeout_ms=settings.database_statement_timeout_ms,
    )
    app.extensions["colophon"] = State(settings, release, engine, LRUCache(0 if app.debug else KEPT_SIZE))
    app.teardown_appcontext(lambda _error: close_connection())


def of(app: Flask) -> State:
    """Return the state of an app."""
    return cast("State", app.extensions["colophon"])


def current() -> State:
    """Return the state of the app that answers this request."""
    return of(current_app)


def connection() -> Connection:
    """Return the request's connection, opened on first use."""
    if "db" not in g:
        g.db = current().engine.connect()
    return cast("Connection", g.db)


def close_connection() -> None:
    """Close the request's connection, if there is one; `connection` opens another."""
    if (db := g.pop("db", None)) is not None:
        db.close()
