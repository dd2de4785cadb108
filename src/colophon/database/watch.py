"""A watch over PostgreSQL, so that a server that hangs holds no visitor's request.

A server whose processes are stopped keeps its sockets: the kernel acknowledges what it is sent, and the server's own
timeouts do not run. So the client watches the time. A long wait alone does not tell a server that hangs from a slow
statement: a new connection does.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.errors import ConnectionTimeout
from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sqlalchemy import Dialect, Engine

log = logging.getLogger(__name__)

SUSPICIOUS_SECONDS = 1.0  # without an answer, after which a probe connects to the server
SILENT_SECONDS = 2.0  # without an answer, the probe's included, after which the server counts as hanging
WAKE_SECONDS = 0.1  # between two looks at the clock


class SilenceError(psycopg.OperationalError):
    """The server did not answer in time."""


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that is closed when the server hangs, or leaves one statement unanswered beyond the limit."""

    check: Callable[[float], None] = staticmethod(lambda _began: None)
    limit = SILENT_SECONDS

    def wait(self, gen: Generator[Any, Any, Any], interval: float = WAKE_SECONDS, timeout: float | None = None) -> Any:
        """Wait for the server. Raises SilenceError."""
        try:
            return super().wait(self._watched(gen), interval, timeout)
        except SilenceError:
            self.pgconn.finish()
            raise

    def _watched(self, steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        began = time.monotonic()
        self.check(began)
        ready = None
        try:
            while True:
                ready = yield steps.send(ready)
                if not ready:  # the interval has passed, and nothing has arrived
                    self.check(began)
                    if time.monotonic() - began > self.limit:
                        raise SilenceError(f"the server left a statement unanswered for {self.limit:g} seconds")
        except StopIteration as end:
            return end.value


class Watch:
    """The state of one server. While it hangs, requests fail at once, and a thread probes the server."""

    def __init__(self) -> None:
        self._probe: threading.Thread | None = None
        self._connect: Callable[..., WatchedConnection]
        self._answered = 0.0  # when a probe ended
        self._silent_since = 0.0

    def open(self, arguments: list[Any], parameters: dict[str, Any]) -> WatchedConnection:
        """Open a connection. Raises SilenceError at once while the server hangs."""
        began = time.monotonic()
        self.check(began)
        self._connect = partial(WatchedConnection.connect, *arguments, **parameters)
        try:
            connection = self._connect()
        except ConnectionTimeout:
            self.check(began)
            raise
        connection.check = self.check
        return connection

    def check(self, began: float) -> None:
        """Start a probe if a wait that began then is suspicious. Raises SilenceError while the server hangs."""
        now = time.monotonic()
        # In a process that was forked, a thread of the first process is not alive.
        if self._probe and self._probe.is_alive():
            if now - self._silent_since >= SILENT_SECONDS:
                raise SilenceError(f"the server has not answered for {now - self._silent_since:.1f} seconds")
        elif now - max(began, self._answered) >= SUSPICIOUS_SECONDS:
            self._silent_since = max(began, self._answered)
            self._probe = threading.Thread(target=self._wait_for_an_answer, name="database-probe", daemon=True)
            self._probe.start()

    def _wait_for_an_answer(self) -> None:
        while not self._answers():
            pass
        self._answered = time.monotonic()
        silence = self._answered - self._silent_since
        if silence >= SILENT_SECONDS:
            log.info("the database answers again, after %.1f seconds", silence)

    def _answers(self) -> bool:
        try:
            with closing(self._connect(autocommit=True)) as connection:
                connection.execute(";")  # a pooler may accept connections for a server that hangs
        except (ConnectionTimeout, SilenceError):
            return False
        except psycopg.Error:
            return True  # a refusal is an answer; the next request meets it, too
        return True


def watch(engine: Engine, limit: float) -> None:
    """Watch the connections of an engine. `limit` is for one statement, in seconds; a pre-ping has SILENT_SECONDS."""
    watched = Watch()

    @event.listens_for(engine, "do_connect")
    def open_(_dialect: Dialect, _record: object, arguments: list[Any], parameters: dict[str, Any]) -> Any:
        return watched.open(arguments, parameters)

    @event.listens_for(engine, "checkout")
    def begin(connection: WatchedConnection, *_: object) -> None:
        connection.limit = limit

    @event.listens_for(engine, "checkin")
    def end(connection: WatchedConnection | None, _record: object) -> None:
        if connection:  # it was not lost
            connection.limit = SILENT_SECONDS
