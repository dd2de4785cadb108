import logging
import runpy
import signal
import socket
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace

import pytest
from gunicorn.config import Config

from colophon.settings import Settings
from colophon.web.worker import PEEKED, PatientWorker, is_whole, lane

HEAD = b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"


@pytest.mark.parametrize(
    ("begun", "whole"),
    [
        (b"", False),
        (b"GET / HTTP/1.1\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", True),
        (HEAD, False),
        (HEAD + b"1234", False),
        (HEAD + b"12345", True),
        (HEAD.replace(b"Content-Length: 5", b"content-length:5") + b"1234", False),
        (HEAD.replace(b"5", b"9999999") + b"x" * 100, False),
        (HEAD.replace(b"5", b"9999999") + b"x" * PEEKED, True),
        (b"x" * PEEKED, True),
    ],
)
def test_a_request_is_worked_on_once_nothing_more_need_be_waited_for(begun: bytes, whole: bool):
    assert is_whole(begun) is whole


@pytest.mark.parametrize(
    ("begun", "found"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"/healthz"),
        (b"HEAD /readyz HTTP/1.0\r\n\r\n", b"/readyz"),
        (b"GET /readyz?from=lb HTTP/1.1\r\nHost: localhost\r\n\r\n", b"/readyz"),
        (b"GET /healthzoo HTTP/1.1\r\nHost: localhost\r\n\r\n", None),
        (b"GET /books?q=/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nReferer: GET /healthz \r\n\r\n", None),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", None),
        (b"POST /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", None),
        (b"GET /healthz HTTP/1.1\r\ncontent-length: 9\r\n\r\n", None),
        (b"GET /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        (b"", None),
    ],
)
def test_only_a_request_for_health_that_keeps_no_thread_waiting_has_a_lane(begun: bytes, found: bytes | None):
    assert lane(begun) == found


def test_each_thread_has_a_connection_to_the_database_and_the_one_for_readyz_too():
    assert Settings.database_pool_size > Settings.web_threads


@pytest.fixture
def worker():
    worker = PatientWorker(1, 0, [], None, 30, Config(), logging.getLogger())
    yield worker
    worker.tmp.close()


def test_a_worker_that_is_told_to_quit_while_it_gives_a_thread_a_request_does_not_wait_for_itself(worker):
    worker.tpool = None  # its lock may be held
    with pytest.raises(SystemExit):
        worker.handle_quit(signal.SIGQUIT, None)


def test_a_worker_quits_whoever_of_its_visitors_has_left(worker):
    with socket.socket() as left:
        worker._in_hand = [SimpleNamespace(sock=left)]
        with pytest.raises(SystemExit):
            worker.handle_quit(signal.SIGQUIT, None)


def test_a_server_that_is_told_to_stop_while_it_warms_up_forks_no_worker(monkeypatch):
    monkeypatch.setattr("colophon.web.warmup.warm_up", lambda _app: None)
    configuration = runpy.run_path(str(Path(__file__).parents[3] / "src/gunicorn.conf.py"))
    signals: SimpleQueue[int] = SimpleQueue()
    server = SimpleNamespace(app=SimpleNamespace(wsgi=list), SIG_QUEUE=signals, log=logging.getLogger())
    signals.put(signal.SIGWINCH)
    configuration["when_ready"](server)
    signals.put(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        configuration["when_ready"](server)
    assert not ended.value.code
