"""Slow pages, from a test's side: it asks for them, knows when threads work on them, and says when they are done."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.waiting import LONGEST

if TYPE_CHECKING:
    from tests.conftest import Server

SLOW = b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n"


class SlowPages:
    """Pages that each hold a thread of a server, and a connection to its database, until they are let go."""

    def __init__(self) -> None:
        self._door = socket.create_server(("127.0.0.1", 0))
        self._threads: list[socket.socket] = []
        self._visitors: list[socket.socket] = []
        # Settings of the server that is to have them.
        self.environment = {
            "GUNICORN_CMD_ARGS": "--worker-class slowworker.SlowWorker",
            "PYTHONPATH": str(Path(__file__).parent),
            "SLOW_PAGES": str(self._door.getsockname()[1]),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        for visitor in self._visitors:
            visitor.close()

    def hold(self, site: Server, threads: int) -> None:
        """Ask for slow pages until so many threads work on one each."""
        self._door.settimeout(0.2)
        for _ in range(100):
            self._visitors.append(visit(site, SLOW))
            try:
                self._threads.append(self._door.accept()[0])
            except TimeoutError:
                continue  # this one waits for a thread of its worker; the next may come to another worker
            if len(self._threads) == threads:
                return
        raise AssertionError(f"only {len(self._threads)} threads took up a slow page")

    def let_go(self) -> None:
        """Have every slow page answered, also those that no thread has taken up yet."""
        self._door.close()
        for thread in self._threads:
            thread.close()

    def answers(self) -> list[bytes | None]:
        """Return what each visitor who requested for one was sent, None for those who were sent no whole answer."""
        return [answer(visitor) for visitor in self._visitors]


def visit(site: Server, request: bytes) -> socket.socket:
    """Send a request on a connection of its own."""
    visitor = socket.create_connection(("127.0.0.1", site.port), timeout=LONGEST)
    visitor.sendall(request)
    return visitor


def answer(visitor: socket.socket) -> bytes | None:
    """Return the body of an answer of 200, None when there is no such answer."""
    response = http.client.HTTPResponse(visitor)
    try:
        response.begin()
        body = response.read()
    except (OSError, http.client.HTTPException):
        return None
    return body if response.status == 200 else None
