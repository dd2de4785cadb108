"""The server's worker with one page more: /slow, which takes as long as a test wants. It exists in tests only."""

import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from wsgiref.types import StartResponse, WSGIEnvironment

from colophon.web import state
from colophon.web.worker import PatientWorker

ANSWER = b"slow, but here"


class SlowWorker(PatientWorker):
    def load_wsgi(self) -> None:
        super().load_wsgi()
        site = self.app.wsgi()

        def with_a_slow_page(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if environ["PATH_INFO"] != "/slow":
                answer: Iterable[bytes] = site(environ, start_response)
                return answer
            # Pages are slow because of the database: while one is worked on, it keeps its connection.
            with state.of(site).engine.connect():
                _wait()
            start_response("200 OK", [("Content-Length", str(len(ANSWER)))])
            return [ANSWER]

        self.wsgi = with_a_slow_page


def _wait() -> None:
    """Return when the test hangs up, or is there no more."""
    with (
        suppress(ConnectionError),
        socket.create_connection(("127.0.0.1", int(os.environ["SLOW_PAGES"]))) as test,
    ):
        test.recv(1)
