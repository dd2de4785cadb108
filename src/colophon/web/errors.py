"""Error responses: pages for visitors, problem details (RFC 9457) for programs."""

from __future__ import annotations

import json
import logging
import sqlite3
from http import HTTPStatus
from typing import Any, NamedTuple

from flask import Flask, Response, current_app, make_response, render_template, request, url_for
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from werkzeug.exceptions import HTTPException, InternalServerError, NotFound, ServiceUnavailable

from ..catalogue.list_query import ParameterError
from ..catalogue.reading import PastTheEndError
from ..catalogue.text import excerpt
from .request_log import REQUEST_ID

log = logging.getLogger(__name__)

RETRY_SECONDS = 5
MOST_PROBLEMS = 100
PROBLEM = "application/problem+json"
EXPLANATIONS = {
    400: (
        "This request cannot be understood",
        "Something in the address or the form is wrong.",
    ),
    403: ("This is not allowed", "The request was understood, but is not allowed from here."),
    404: ("There is no such page", "The address may have been mistyped, or the page may have moved."),
    405: ("This address does not do that", "It exists, but does not accept this kind of request."),
    408: ("The request took too long", "It did not arrive in time. Please try again."),
    411: ("The length is missing", "Send a Content-Length, so that the size is known before the body is read."),
    413: ("That is too much at once", "The request is larger than this site accepts."),
    414: ("The address is too long", "This site does not read addresses of that length."),
    429: ("Too many requests", "Please wait a moment, then try again."),
    431: ("The headers are too long", "This site does not read headers of that length."),
    500: ("Something went wrong here", "The fault is ours and has been noted. Trying again may help."),
    503: ("The catalogue is out of reach", "This should be over soon. Please try again in a few seconds."),
}


class Kind(NamedTuple):
    """A type of problem that says more than its status (RFC 9457, 4); the API's page documents it by this name."""

    name: str
    status: int
    title: str
    meaning: str

    @property
    def address(self) -> str:
        """The `type` of the problem."""
        return url_for("documentation.page", _anchor=self.name)


PARAMETERS = Kind(
    "parameters",
    400,
    "Parameters are wrong",
    f"The errors member names the wrong and unknown parameters, the first {MOST_PROBLEMS} of them, with the reasons.",
)
FIELDS = Kind(
    "fields",
    422,
    "Fields are wrong",
    f"The errors member names the wrong, missing and unknown fields, the first {MOST_PROBLEMS} of them, by paths "
    "such as authors.0.name, with the reasons.",
)
CONFLICT = Kind("conflict", 409, "Another book has the ISBN", "The book member is the address of that book.")
KEY_REUSED = Kind(
    "key-reused",
    422,
    "The Idempotency-Key was used for another request",
    "The key was sent with another body within the last day. Send this one with a new key.",
)
KINDS = (PARAMETERS, FIELDS, CONFLICT, KEY_REUSED)


class Problem(HTTPException):
    """An error of the API (RFC 9457).

    `what` is its kind, or its status where there is no more to say. `problems` are pairs of the name of a field or
    parameter and the reason, of which the first are kept, and names in excerpts; `members` are the kind's own members
    of the response; `headers` are added to it.
    """

    def __init__(
        self,
        what: Kind | int,
        detail: str,
        *,
        problems: list[tuple[str, str]] | None = None,
        members: dict[str, str] | None = None,
        headers: list[tuple[str, str]] | None = None,
    ) -> None:
        problems = problems or []
        if len(problems) > MOST_PROBLEMS:
            detail += f" The first {MOST_PROBLEMS} of {len(problems):,} problems are named."
        super().__init__(detail)
        self.kind = what if isinstance(what, Kind) else None
        self.code = what.status if isinstance(what, Kind) else what
        self.problems = [(excerpt(name), reason) for name, reason in problems[:MOST_PROBLEMS]]
        self.members = members or {}
        self._headers = headers or []

    @property
    def name(self) -> str:
        """The phrase of the status."""
        return HTTPStatus(self.code or 500).phrase

    def get_headers(self, *arguments: Any, **options: Any) -> list[tuple[str, str]]:
        """Return the headers of the response."""
        return [*super().get_headers(*arguments, **options), *self._headers]


def init_app(app: Flask) -> None:
    """Register the handlers of all errors."""
    app.register_error_handler(ParameterError, _wrong_parameters)
    app.register_error_handler(PastTheEndError, lambda _: respond(NotFound("The list ends before this page.")))
    app.register_error_handler(OperationalError, _operational_error)
    app.register_error_handler(InterfaceError, _database_unavailable)
    app.register_error_handler(DBAPIError, _database_error)
    app.register_error_handler(NoFreeConnection, _database_unavailable)
    app.register_error_handler(PendingRollbackError, _database_unavailable)  # a lost connection was used again
    app.register_error_handler(HTTPException, respond)
    app.register_error_handler(Exception, _internal_error)


def _wrong_parameters(error: ParameterError) -> Response:
    return respond(Problem(PARAMETERS, "Some parameters of the address are wrong.", problems=error.problems))


def _operational_error(error: OperationalError) -> Response:
    # SQLite reports a wrong statement by this class too, and waiting does not help then (https://www.sqlite.org/rescode.html#error).
    wrong_statement = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return _internal_error(error) if wrong_statement else _database_unavailable(error)


def _database_unavailable(error: Exception) -> Response:
    log.error("the database is unavailable", exc_info=error)
    response = respond(ServiceUnavailable())
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _database_error(error: DBAPIError) -> Response:
    # A connection can be lost under any kind of error. A server that is stopping, is full, or is read-only during a
    # failover reports it by its code (https://www.postgresql.org/docs/current/errcodes-appendix.html).
    code = getattr(error.orig, "sqlstate", None) or ""
    transient = error.connection_invalidated or code == "25006" or code.startswith(("53", "57P", "58"))
    return _database_unavailable(error) if transient else _internal_error(error)


def _internal_error(error: Exception) -> Response:
    if current_app.debug:
        raise error  # to the debugger
    log.error("unexpected error", exc_info=error)
    return respond(InternalServerError())


def respond(error: HTTPException) -> Response:
    """Return the page or the problem of an error, as its path wants it."""
    status = error.code or 500
    title, general = EXPLANATIONS.get(status, (error.name, "The request could not be answered."))
    specific = error.description if error.description != type(error).description else None
    problem = error if isinstance(error, Problem) else Problem(status, specific or general)
    reference = request.environ.get(REQUEST_ID) if status >= 500 else None
    if request.path == "/api" or request.path.startswith("/api/v"):
        body = {
            "type": problem.kind.address if problem.kind else "about:blank",
            "title": problem.kind.title if problem.kind else HTTPStatus(status).phrase,
            "status": status,
            "detail": problem.description,
            "errors": [{"field": name, "message": message} for name, message in problem.problems],
            **problem.members,
        } | ({"reference": reference} if reference else {})
        response = Response(json.dumps(body, ensure_ascii=False), status, mimetype=PROBLEM)
    else:
        html = render_template(
            "errors/error.html",
            status=status,
            title=title,
            explanation=problem.description,
            problems=problem.problems,
            reference=reference,
            canonical=None,
        )
        response = make_response(html, status)
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response
