"""What a server that is told to stop owes those who have come before: their answers, whole."""

import http.client
import os
import signal
import threading
from contextlib import ExitStack

import pytest

from bench import attacks
from tests.colophon.web.slowpages import SlowPages, answer, visit
from tests.colophon.web.slowworker import ANSWER
from tests.conftest import Server
from tests.waiting import LONGEST

pytestmark = pytest.mark.slow

PATHS = ("/", "/books", "/books/emma", "/authors", "/api/v1/books")


class Visitor(threading.Thread):
    """A visitor that loads one page after another on one connection, until the server says that it closes it."""

    def __init__(self, site: Server, path: str) -> None:
        super().__init__()
        self._connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=LONGEST)
        self._path = path
        self.is_served = threading.Event()
        self.answers: list[int | str] = []

    def run(self) -> None:
        try:
            while not (self.answers and self._connection.sock is None):
                self._connection.request("GET", self._path)
                response = self._connection.getresponse()
                response.read()
                self.answers.append(response.status)
                self.is_served.set()
        except (OSError, http.client.HTTPException) as error:
            self.answers.append(repr(error))
        finally:
            self._connection.close()


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_every_request_that_is_open_is_answered(tmp_path, signal_number):
    with SlowPages() as slow_pages:
        site = Server(tmp_path, WEB_CONCURRENCY="2", WEB_THREADS="4", **slow_pages.environment)
        slow_pages.hold(site, threads=3)
        visitors = [Visitor(site, path) for path in PATHS]
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            assert visitor.is_served.wait(LONGEST)
        site.process.send_signal(signal_number)
        for visitor in visitors:
            visitor.join(LONGEST)
        slow_pages.let_go()
        answers = slow_pages.answers()
        assert site.process.wait(LONGEST) == 0
    assert [set(visitor.answers) for visitor in visitors] == [{200}] * len(PATHS)
    assert answers == [ANSWER] * len(answers)
    assert "Traceback" not in site.log.read_text()


def test_those_who_wait_at_the_door_are_let_in(linux, tmp_path):
    site = Server(tmp_path, WEB_CONCURRENCY="1")
    (worker,) = site.workers()
    os.kill(worker, signal.SIGSTOP)
    visitors = [visit(site, b"GET /about HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(8)]
    site.process.send_signal(signal.SIGTERM)
    os.kill(worker, signal.SIGTERM)  # as the first process does, too; but this comes before it goes on
    os.kill(worker, signal.SIGCONT)
    answers = [answer(visitor) for visitor in visitors]
    for visitor in visitors:
        visitor.close()
    assert all(answers)
    assert site.process.wait(LONGEST) == 0


def test_no_one_who_is_slow_keeps_a_server_from_stopping(tmp_path):
    site = Server(tmp_path)
    with ExitStack() as slow:
        for attack in ("silent", "head", "body", "pipelined-head", "idle"):
            slow.enter_context(attacks.under(attack, site.port, 16))
        assert site.stop() == 0
    log = site.log.read_text()
    assert "Traceback" not in log
    assert "SIGKILL" not in log
