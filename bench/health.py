"""Measure how often the site responds to a load balancer in time while others keep it busy, by class of worker."""

from __future__ import annotations

import http.client
import socket
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from . import servers, slow_site, tables
from .errors import exit_code, say

if TYPE_CHECKING:
    from collections.abc import Callable

WORKERS = 2
# Each with gunicorn's options for it: given threads, sync would become gthread.
CLASSES = {
    "sync": ("--worker-class", "sync", "--threads", "1"),
    "gthread": ("--worker-class", "gthread"),
    "PatientWorker": (),
}
PATHS = ("/healthz", "/readyz")
SECONDS, QUESTIONS = 5, 20
IN_TIME = 2.0  # seconds
HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost:"
LAST_PAGE = b"GET /about HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
SLOW_PAGE = b"GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


class Crowd:
    """Visitors who send the same over and over, each on one connection at a time."""

    def __init__(self, server: servers.Server, number: int, request: bytes, *, hang_up: bool = True) -> None:
        self._address = (servers.HOST, server.port)
        self._request = request
        self._hang_up = hang_up
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._visit) for _ in range(number)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _visit(self) -> None:
        while not self._ended.wait(0.05):
            with suppress(OSError), socket.create_connection(self._address, timeout=1) as connection:
                connection.sendall(self._request)
                self._stay(connection)

    def _stay(self, connection: socket.socket) -> None:
        """Return when the server says that nothing more comes; those who do not hang up, at the end."""
        while not self._ended.is_set():
            with suppress(TimeoutError):
                if not connection.recv(65_536):
                    break
        if not self._hang_up:
            self._ended.wait()


CROWDS: dict[str, Callable[[servers.Server], Crowd]] = {
    "no one": partial(Crowd, number=0, request=b""),
    "16 slow senders": partial(Crowd, number=16, request=HALF_A_HEAD),
    "16 who do not hang up": partial(Crowd, number=16, request=LAST_PAGE, hang_up=False),
    "32 slow pages": partial(Crowd, number=32, request=SLOW_PAGE),
}


def share_in_time(server: servers.Server) -> float:
    """Return the share of a load balancer's questions that are answered by 200 in time."""
    with ThreadPoolExecutor(QUESTIONS) as pool:
        answers = []
        for number in range(QUESTIONS):
            answers.append(pool.submit(is_well, server, PATHS[number % len(PATHS)]))
            time.sleep(SECONDS / QUESTIONS)
    return sum(answer.result() for answer in answers) / QUESTIONS


def is_well(server: servers.Server, path: str) -> bool:
    started = time.monotonic()
    with closing(http.client.HTTPConnection(servers.HOST, server.port, timeout=IN_TIME)) as connection:
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False
    return status == 200 and time.monotonic() - started <= IN_TIME


def measure() -> None:
    rows = [["", *CROWDS]]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="colophon-health-")))
        database = folder / "colophon.db"
        with servers.make_run(database, folder, WORKERS):
            say("the database is made ...")
        for name, options in CLASSES.items():
            shares = []
            for crowd, gather in CROWDS.items():
                say(f"{name}, kept busy by {crowd} ...")
                served = servers.colophon(database, folder, *options, slow_site.APP, workers=WORKERS)
                with served as server, gather(server):
                    time.sleep(1)  # for all of them to be there
                    shares.append(share_in_time(server))
            rows.append([name, *(f"{share:.0%}" for share in shares)])
    how = f"{WORKERS} workers, {servers.THREADS} threads each (sync: 1), slow pages of {slow_site.SECONDS} s"
    print(f"Health checks answered within {IN_TIME:.0f} s, of {QUESTIONS}: {how}\n\n{tables.aligned(rows)}")


sys.exit(exit_code(measure))
