"""Logging: one line per request, JSON for programs, colour for a terminal."""

from __future__ import annotations

import logging
import random
import re
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import structlog

from ..catalogue.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from structlog.typing import EventDict

    from ..settings import Settings

REQUEST_ID = "colophon.request_id"
# Load balancers send these every few seconds: a line for each would bury the visits.
HEALTH_CHECKS = frozenset({"/healthz", "/readyz"})
_VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

log = logging.getLogger("colophon.request")


def config(settings: Settings, stream: TextIO | None = None) -> dict[str, Any]:
    """Return the configuration for logging.config.dictConfig.

    The log goes to `stream`, by default standard output; commands that print their result there name another.
    """
    stream = stream or sys.stdout
    in_colour = settings.log_format == "console" or (settings.log_format == "auto" and stream.isatty())
    stamps = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if in_colour else "iso", utc=not in_colour, key="time"),
    ]
    if in_colour:
        plain = structlog.dev.plain_traceback
        console = structlog.dev.ConsoleRenderer(timestamp_key="time", colors=stream.isatty(), exception_formatter=plain)
        render: list[Any] = [_escape, console]
    else:
        # In ASCII, so that no character of a line can drive the terminal that shows it.
        render = [structlog.processors.JSONRenderer(ensure_ascii=True)]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": stamps,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    *render,
                ],
            }
        },
        "handlers": {"stream": {"class": "logging.StreamHandler", "stream": stream, "formatter": "line"}},
        "root": {"level": settings.log_level.upper(), "handlers": ["stream"]},
        # Gunicorn adds handlers of its own to these unless they are named here.
        "loggers": {
            "gunicorn.error": {"level": settings.log_level.upper(), "handlers": [], "propagate": True},
            "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
            "alembic": {"level": "WARNING"},
        },
    }


@contextmanager
def unlogged() -> Iterator[None]:
    """Leave out the requests of the block, which are not visits."""
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = False


def _escape(_logger: object, _method: str, line: EventDict) -> EventDict:
    """Escape what would drive a terminal, in values that visitors or a database may have written.

    A traceback keeps the ends of its lines.
    """
    return {
        name: "\n".join(map(printable, value.split("\n") if name in ("exception", "stack") else [value]))
        if isinstance(value, str)
        else value
        for name, value in line.items()
    }


class RequestLog:
    """WSGI middleware that gives each request an id and logs it in one line.

    A valid `X-Request-Id` of the request is kept, so that it can be traced from the load balancer on.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        started = time.perf_counter()
        given = environ.get("HTTP_X_REQUEST_ID", "")
        # Not uuid4, which takes a system call: the id is no secret, and each process has a sequence of its own.
        request_id = given if _VALID_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"
        environ[REQUEST_ID] = request_id
        seen: dict[str, Any] = {"status": 500, "bytes": 0}

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            sizes = [int(value) for name, value in headers if name.lower() == "content-length"]
            seen.update(status=int(status[:3]), bytes=sizes[0] if sizes and environ["REQUEST_METHOD"] != "HEAD" else 0)
            return start_response(status, [*headers, ("X-Request-Id", request_id)], exc_info)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                return self._app(environ, start)
            finally:
                if environ["PATH_INFO"] not in HEALTH_CHECKS:
                    spent = round((time.perf_counter() - started) * 1000, 2)
                    log.info("request", extra=_visit(environ) | seen | {"ms": spent})


def _visit(environ: WSGIEnvironment) -> dict[str, Any]:
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    return {"method": environ["REQUEST_METHOD"], "path": path}
