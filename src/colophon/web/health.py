"""Health checks: /healthz for the process, /readyz for the database and its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from .. import database
from ..database import revisions, users
from . import state
from .kept import HEADER, state_name

if TYPE_CHECKING:
    from sqlalchemy import Connection

LOCK_SECONDS = 1.0  # that /readyz waits for a table; it has one thread, and the edge requests it all the time

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> Response:
    """Respond without the database: a process that can do this need not be restarted."""
    return _uncached(Response("ok\n", mimetype="text/plain"))


@blueprint.get("/readyz")
def ready() -> Response:
    """Respond with 200 if this release can serve the database's schema, else with 503 and the reason."""
    site = state.current()
    try:
        with site.engine.connect() as db, database.lock_timeout(db, LOCK_SECONDS):
            return _uncached(_readiness(site, db))
    except SQLAlchemyError:
        return _uncached(_not_ready("the database is unavailable"))


def _readiness(site: state.State, db: Connection) -> Response:
    if lacking := users.lacking(db):
        return _not_ready(f"the database's user lacks {', '.join(lacking)}")
    found = revisions.revision_in(db)
    if not revisions.can_serve(found):
        return _not_ready(f"the schema is at revision {found or 'none'}, not at {revisions.head()}")
    response = jsonify(status="ready", schema=found)
    response.headers[HEADER] = state_name(site, db)
    return response


def _not_ready(reason: str) -> Response:
    response = jsonify(status="not ready", reason=reason)
    response.status_code = 503
    return response


def _uncached(response: Response) -> Response:
    response.cache_control.no_store = True
    return response
