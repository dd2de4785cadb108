"""Health checks: /healthz for the process, /readyz for the database and its schema."""

from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from ..database import revisions, users
from . import state
from .kept import HEADER, state_name

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> Response:
    """Respond without the database: a process that can do this need not be restarted."""
    return _uncached(Response("ok\n", mimetype="text/plain"))


@blueprint.get("/readyz")
def ready() -> Response:
    """Respond with 200 if this release can serve the database's schema, else with 503 and the reason."""
    wanted, site = revisions.head(), state.current()
    try:
        with site.engine.connect() as db:
            lacking = users.lacking(db)
        if lacking:
            return _uncached(_not_ready(f"the database's user lacks {', '.join(lacking)}"))
        found = revisions.revision(site.engine)
        if not revisions.can_serve(found):
            return _uncached(_not_ready(f"the schema is at revision {found or 'none'}, not at {wanted}"))
        with site.engine.connect() as db:
            name = state_name(site, db)
    except SQLAlchemyError:
        return _uncached(_not_ready("the database is unavailable"))
    response = jsonify(status="ready", schema=found)
    response.headers[HEADER] = name
    return _uncached(response)


def _not_ready(reason: str) -> Response:
    response = jsonify(status="not ready", reason=reason)
    response.status_code = 503
    return response


def _uncached(response: Response) -> Response:
    response.cache_control.no_store = True
    return response
