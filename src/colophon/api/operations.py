"""Operations of the API: a decorator that enforces and documents what all calls have in common."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn

from flask import Blueprint, Response, g, request
from marshmallow import Schema, ValidationError

from .. import database
from ..access import limits, tokens
from ..access.limits import Limit, RateLimit
from ..access.tokens import Bearer, TokenError
from ..catalogue import list_query
from ..catalogue.text import excerpt
from ..web import state
from ..web.errors import FIELDS, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/=-]+)", re.IGNORECASE)
REALM = 'Bearer realm="colophon"'
LONGEST_ACCEPT = 1_000  # the work to compare media types grows with the square of their length

# The statuses of problems that follow from the kind of operation.
EVERYWHERE = (400, 401, 405, 406, 429, 503)
FOR_WRITERS = (403,)
FOR_BODIES = (411, 413, 415, 422)
FOR_CONDITIONS = (412, 428)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One call of the API. `answers` maps each status of success to the schema of its body.

    `errors` are the statuses of its own problems, without those that follow from its other attributes.
    """

    summary: str
    answers: dict[int, type[Schema] | None]
    details: str = ""
    scope: str | None = None
    parameters: type[Schema] | None = None
    body: type[Schema] | None = None
    content_types: tuple[str, ...] = (JSON,)
    conditional: bool = False
    repeatable: bool = False
    errors: tuple[int, ...] = field(default=())

    @property
    def problems(self) -> list[int]:
        """The statuses of all its problems."""
        following = [
            EVERYWHERE,
            FOR_WRITERS if self.scope else (),
            FOR_BODIES if self.body else (),
            FOR_CONDITIONS if self.conditional else (),
        ]
        return sorted({*self.errors, *chain(*following)})


def operation(**about: Any) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Return a decorator that makes a view an operation, which checks the token, the parameters and the body first."""
    described = Operation(**about)

    def decorate(view: Callable[..., Response]) -> Callable[..., Response]:
        @functools.wraps(view)
        def call(**arguments: Any) -> Response:
            _require_json_accepted()
            _authorise(described.scope)
            schema = (described.parameters or Schema)()
            parameters = list_query.read(schema, request.args, unknown="raise")
            if described.parameters:
                arguments["parameters"] = parameters
            if described.content_types and described.body:
                arguments["sent"] = _body(described.content_types)
            return view(**arguments)

        call.operation = described  # type: ignore[attr-defined]
        return call

    return decorate


def load(schema: Schema, data: object) -> Any:
    """Return the data that a schema loads. Raises Problem FIELDS, which names each field like authors.0.name."""
    try:
        return schema.load(data)  # type: ignore[arg-type]  # the schema refuses what is not an object
    except ValidationError as error:
        raise Problem(FIELDS, "Some fields are wrong.", problems=list(_flat(error.messages))) from None


def _flat(messages: Any, path: str = "") -> Any:
    if isinstance(messages, dict):
        for name, nested in messages.items():
            yield from _flat(nested, f"{path}.{name}" if path else str(name))
    else:
        yield path.removesuffix("_schema").removesuffix("."), " ".join(messages)


def json_response(body: object, status: int = 200) -> Response:
    """Return a JSON response."""
    return Response(json.dumps(body, ensure_ascii=False), status, mimetype=JSON)


def bearer() -> Bearer:
    """Return the holder of the request's token; an operation with a scope has one."""
    found: Bearer = g.bearer
    return found


def _require_json_accepted() -> None:
    if len(request.headers.get("Accept", "")) > LONGEST_ACCEPT:
        raise Problem(400, f"The Accept header is longer than {LONGEST_ACCEPT:,} characters.")
    if request.accept_mimetypes and not request.accept_mimetypes.best_match([JSON, "application/problem+json"]):
        raise Problem(406, f"This address returns {JSON}, which the request does not accept.")


def _body(content_types: tuple[str, ...]) -> object:
    if request.mimetype not in content_types:
        accept = "Accept-Patch" if request.method == "PATCH" else "Accept-Post"
        raise Problem(415, f"Send {' or '.join(content_types)}.", headers=[(accept, ", ".join(content_types))])
    if request.content_encoding:
        raise Problem(415, "Send the body without a Content-Encoding.")
    try:
        return json.loads(
            request.get_data(cache=False).decode("utf-8"),
            parse_constant=_refuse_constant,
            object_pairs_hook=_refuse_duplicates,
        )
    except RecursionError:
        raise Problem(400, "The body is not valid JSON: it is nested too deeply.") from None
    except ValueError as error:
        # Python's own message names a function of Python.
        reason = "a number has too many digits" if "int_max_str_digits" in str(error) else str(error)
        raise Problem(400, f"The body is not valid JSON: {reason}.") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise ValueError(f"{excerpt(twice)!r} is given more than once")
    return found


def _authorise(scope: str | None) -> None:
    """Identify the caller by its token. Raises Problem 401, 403 or 429."""
    given = request.headers.get("Authorization")
    if given is None:
        if scope is not None:
            raise Problem(401, "Send a token: Authorization: Bearer …", headers=[("WWW-Authenticate", REALM)])
        return
    settings = state.current().settings
    db = state.connection()
    found, refusal = _verified(db, given)
    if found is None:
        failures = Limit("failed-authentication", settings.failed_logins_per_minute)
        with database.best_effort(db):
            g.rate_limit = limits.count(db, failures, limits.network(request.remote_addr))
        if "rate_limit" in g and g.rate_limit.exceeded:
            _too_many(g.rate_limit)
        challenge = f'{REALM}, error="invalid_token", error_description="{refusal}"'
        raise Problem(401, refusal, headers=[("WWW-Authenticate", challenge)])
    if found.use_is_due:
        with database.best_effort(db):
            tokens.note_use(db, found)
    if scope is not None:
        if not found.may(scope):
            challenge = f'{REALM}, error="insufficient_scope", scope="{scope}"'
            raise Problem(403, f"The token may not {scope}.", headers=[("WWW-Authenticate", challenge)])
        g.rate_limit = limits.count(db, Limit("writes", settings.writes_per_minute), str(found.id))
        if g.rate_limit.exceeded:
            _too_many(g.rate_limit)
        # A write opens a connection of its own, and does not need a second one meanwhile.
        state.close_connection()
    g.bearer = found


def _verified(db: Any, given: str) -> tuple[Bearer | None, str]:
    match = _BEARER.fullmatch(given)
    if match is None:
        return None, "The Authorization header holds no bearer token."
    try:
        return tokens.verify(db, match[1]), ""
    except TokenError as error:
        return None, str(error)


def _too_many(rate_limit: RateLimit) -> NoReturn:
    g.rate_limit = rate_limit
    limit = rate_limit.limit
    raise Problem(
        429,
        f"The limit of {limit.quota} in {limit.window} seconds is used up ({limit.name}).",
        headers=[("Retry-After", str(rate_limit.reset))],
    )


@blueprint.after_app_request
def _add_rate_limit_headers(response: Response) -> Response:
    if (rate_limit := g.get("rate_limit")) is not None:
        response.headers["RateLimit-Policy"] = rate_limit.limit.policy
        response.headers["RateLimit"] = rate_limit.header
    return response
