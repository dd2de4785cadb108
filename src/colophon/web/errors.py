"""Every error's answer, from one place: what went wrong, in plain words, and a way onward."""

from __future__ import annotations

import json
import logging
import sqlite3
from http import HTTPStatus
from typing import Any, NamedTuple

from flask import Flask, Response, make_response, render_template, request, url_for
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from werkzeug.exceptions import HTTPException, InternalServerError, NotFound, ServiceUnavailable

from ..catalogue.list_query import ParameterError
from ..catalogue.reading import PastTheEndError
from .request_log import REQUEST_ID

log = logging.getLogger(__name__)

RETRY_SECONDS = 5
PROBLEM = "application/problem+json"
EXPLANATIONS = {
    400: (
        "This request cannot be understood",
        "Something in the address or the form is not as it should be.",
    ),
    403: ("This is not allowed", "The request was understood, but it may not be done from here."),
    404: ("There is no such page", "The address may have been mistyped, or the page may have moved."),
    405: ("This address does not do that", "It exists, but it does not answer this kind of request."),
    411: ("The length is missing", "Send a Content-Length, so that what is sent can be measured."),
    413: ("That is too much at once", "What was sent is larger than this site accepts."),
    429: ("Too many requests", "Please wait a moment, then try again."),
    500: ("Something went wrong here", "The fault is ours and has been noted. Trying again may help."),
    503: ("The catalogue is out of reach", "This should be over soon. Please try again in a few seconds."),
}


class Kind(NamedTuple):
    """A kind of problem that says more than its status does (RFC 9457, 4); the API's page tells of it by this name."""

    name: str
    status: int
    title: str
    meaning: str

    @property
    def address(self) -> str:
        """The problem's `type`."""
        return url_for("documentation.page", _anchor=self.name)


PARAMETERS = Kind(
    "parameters", 400, "Parameters are wrong", "Each that is wrong or not known is named in errors, with the reason."
)
FIELDS = Kind(
    "fields",
    422,
    "Fields are wrong",
    "Each that is wrong, missing or not known is named in errors, by a path such as authors.0.name, with the reason.",
)
CONFLICT = Kind("conflict", 409, "Another book has the ISBN", "The member book is the address of that book.")
KEY_REUSED = Kind(
    "key-reused",
    422,
    "The Idempotency-Key was used for something else",
    "What was sent under it within the last day was not the same; send this under another one.",
)
KINDS = (PARAMETERS, FIELDS, CONFLICT, KEY_REUSED)


class Problem(HTTPException):
    """An error of the API, with what a program needs to mend it (RFC 9457).

    `what` is its kind, or its status where that says it all. `problems` are pairs of a field's or parameter's name and
    what is wrong with it; `members` are what the kind adds to the answer; `headers` go with it.
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
        super().__init__(detail)
        self.kind = what if isinstance(what, Kind) else None
        self.code = what.status if isinstance(what, Kind) else what
        self.problems = problems or []
        self.members = members or {}
        self._headers = headers or []

    @property
    def name(self) -> str:
        return HTTPStatus(self.code or 500).phrase

    def get_headers(self, *arguments: Any, **options: Any) -> list[tuple[str, str]]:
        return [*super().get_headers(*arguments, **options), *self._headers]


def init_app(app: Flask) -> None:
    app.register_error_handler(ParameterError, _wrong_parameters)
    app.register_error_handler(PastTheEndError, lambda _: _answer(NotFound("The list ends before this page.")))
    app.register_error_handler(OperationalError, _cannot_operate)
    app.register_error_handler(InterfaceError, _database_out_of_reach)
    app.register_error_handler(DBAPIError, _database_refused)
    app.register_error_handler(NoFreeConnection, _database_out_of_reach)
    app.register_error_handler(PendingRollbackError, _database_out_of_reach)  # a lost connection was used once more
    app.register_error_handler(HTTPException, _answer)
    app.register_error_handler(Exception, _own_fault)


def _wrong_parameters(error: ParameterError) -> Response:
    return _answer(Problem(PARAMETERS, "Part of the address is not as it should be.", problems=error.problems))


def _cannot_operate(error: OperationalError) -> Response:
    # SQLite says the same of a statement that is wrong, which no waiting mends (https://www.sqlite.org/rescode.html#error).
    own_fault = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return _own_fault(error) if own_fault else _database_out_of_reach(error)


def _database_out_of_reach(error: Exception) -> Response:
    log.error("the database is out of reach", exc_info=error)
    response = _answer(ServiceUnavailable())
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _database_refused(error: DBAPIError) -> Response:
    # A connection may be lost under any kind of error, and a server that is about to stop, is full, or takes no writes
    # while another takes over, says so by its code (https://www.postgresql.org/docs/current/errcodes-appendix.html).
    code = getattr(error.orig, "sqlstate", None) or ""
    passing = error.connection_invalidated or code == "25006" or code.startswith(("53", "57P", "58"))
    return _database_out_of_reach(error) if passing else _own_fault(error)


def _own_fault(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return _answer(InternalServerError())


def _answer(error: HTTPException) -> Response:
    status = error.code or 500
    title, general = EXPLANATIONS.get(status, (error.name, "The request could not be answered."))
    said = error.description if error.description != type(error).description else None
    problem = error if isinstance(error, Problem) else Problem(status, said or general)
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
