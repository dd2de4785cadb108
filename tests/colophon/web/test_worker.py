import logging
import runpy
import signal
import socket
from io import BytesIO
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace

import pytest
from gunicorn.config import Config

from colophon.settings import Settings
from colophon.web.worker import PAGES, PEEKED, SLOW, PatientSocket, PatientWorker, lane

HEAD = b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"


@pytest.mark.parametrize(
    ("begun", "found"),
    [
        (b"", None),
        (b"GET / HTTP/1.1\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", PAGES),
        (HEAD, None),
        (HEAD + b"1234", None),
        (HEAD + b"12345", PAGES),
        (HEAD.replace(b"Content-Length: 5", b"content-length:5") + b"1234", None),
        (HEAD.replace(b"5", b"0000000000005") + b"1234", None),
        (HEAD.replace(b"5", b"9999999") + b"x" * 100, None),
        (HEAD.replace(b"5", b"9999999") + b"x" * PEEKED, SLOW),
        (HEAD.replace(b"Content-Length: 5", b"Transfer-encoding: chunked"), SLOW),
        (b"x" * PEEKED, SLOW),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"/healthz"),
        (b"HEAD /readyz HTTP/1.0\r\n\r\n", b"/readyz"),
        (b"GET /readyz?from=lb HTTP/1.1\r\nHost: localhost\r\n\r\n", b"/readyz"),
        (b"GET /healthzoo HTTP/1.1\r\nHost: localhost\r\n\r\n", PAGES),
        (b"GET /books?q=/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", PAGES),
        (b"GET / HTTP/1.1\r\nReferer: GET /healthz \r\n\r\n", PAGES),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", None),
        (b"POST /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", PAGES),
        (b"GET /healthz HTTP/1.1\r\ncontent-length: 9\r\n\r\n", None),
        (b"GET /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", SLOW),
    ],
)
def test_a_request_that_could_keep_its_thread_waiting_has_none_of_the_pages_nor_of_health(begun: bytes, found: bytes):
    assert lane(begun) == found


def test_each_thread_has_a_connection_to_the_database_but_the_one_for_healthz():
    assert Settings.database_pool_size >= Settings.web_threads + len({"/readyz", "slow"})


@pytest.mark.parametrize(
    "wait",
    [
        lambda client: client.recv(1),
        lambda client: client.sendall(b"x" * 10_000_000),
        lambda client: client.sendfile(BytesIO(b"x" * 10_000_000)),
    ],
    ids=["receiving", "sending", "sending a file"],
)
def test_a_client_that_is_too_slow_counts_as_one_that_left(monkeypatch, wait):
    monkeypatch.setattr("colophon.web.worker.REQUEST_SECONDS", 0.01)
    ours, theirs = socket.socketpair()
    with theirs, PatientSocket(fileno=ours.detach()) as client:
        client.setblocking(True)
        with pytest.raises(ConnectionResetError):
            wait(client)


def test_a_worker_that_stops_waits_for_a_new_connection_no_longer_than_for_a_kept_one():
    worker = PatientWorker(1, 0, [], None, 30, Config(), logging.getLogger())
    worker.pending_conns.append(SimpleNamespace(timeout=10.0))
    worker._cap_keepalive(2.0)
    worker.tmp.close()
    assert worker.pending_conns[0].timeout == 2.0


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
