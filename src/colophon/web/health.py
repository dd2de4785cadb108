"""Whether the site works: /healthz says that the process answers, /readyz that it can serve."""

from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from ..database import revisions
from . import state

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> Response:
    """Answer at once, from no other part: a process that can do this need not be restarted."""
    return _fresh(Response("ok\n", mimetype="text/plain"))


@blueprint.get("/readyz")
def ready() -> Response:
    """Answer 200 when the database is reachable and its schema one that this release can serve, else 503 and why."""
    wanted = revisions.head()
    try:
        found = revisions.revision(state.current().engine)
    except SQLAlchemyError:
        return _fresh(_not_ready("the database is out of reach"))
    if not revisions.can_serve(found):
        return _fresh(_not_ready(f"the schema is at revision {found or 'none'}, not at {wanted}"))
    return _fresh(jsonify(status="ready", schema=found))


def _not_ready(reason: str) -> Response:
    response = jsonify(status="not ready", reason=reason)
    response.status_code = 503
    return response


def _fresh(response: Response) -> Response:
    response.cache_control.no_store = True
    return response
