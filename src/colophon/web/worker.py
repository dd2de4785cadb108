"""Gunicorn's thread worker, made patient: whoever keeps it waiting, by a request or by a page, keeps out nobody else.

As it comes, a thread waits for a new connection's first byte for five seconds, and for the rest of a request without
end; and the whole worker waits two seconds for each visitor who does not hang up. Here the poller waits. Slow pages do
hold threads, so the questions of a load balancer have some of their own: one that hears nothing ends the task.
"""

from __future__ import annotations

import errno
import re
import selectors
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import TConn, ThreadWorker

if TYPE_CHECKING:
    from collections.abc import Callable

# A request has this long to arrive, as has each part of an answer to be taken.
REQUEST_SECONDS = 10.0
# A visitor who was told that nothing more comes has this long to hang up (RFC 9112, 9.6).
LINGER_SECONDS = 2.0
# What is looked at before a thread is given: every head, and the bodies of forms and of the API. The rest of a larger
# body is read by the thread, until the deadline.
LOOKED_AT = 32_768
NOT_THERE_ANY_MORE = frozenset({errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK})
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})", re.IGNORECASE)
# Each has a thread of its own: a database out of reach holds up /readyz, and must not hold up /healthz.
LANES = (b"/healthz", b"/readyz")
_IN_A_LANE = re.compile(rb"(?:GET|HEAD) (" + b"|".join(LANES) + rb")[ ?]")
_BODY = re.compile(rb"\r\n(?:content-length|transfer-encoding):", re.IGNORECASE)


def is_whole(begun: bytes) -> bool:
    """Whether a request that has begun to arrive can be worked on without waiting for more of it."""
    head, end, body = begun.partition(b"\r\n\r\n")
    if not end:
        return len(begun) >= LOOKED_AT
    length = _LENGTH.search(head)
    return length is None or len(body) >= min(int(length[1]), LOOKED_AT - len(head) - len(end))


def lane(begun: bytes) -> bytes | None:
    """Return which of LANES a request is for; None for any other, and for one that could keep its thread waiting."""
    head, end, _ = begun.partition(b"\r\n\r\n")
    asked = _IN_A_LANE.match(head)
    return asked[1] if asked and end and not _BODY.search(head) else None


class PatientSocket(socket.socket):
    """A socket whose 'blocking' ends: from then on, all that is received must arrive before the deadline."""

    deadline = 0.0
    looked_at = 0
    lane: bytes | None = None

    def setblocking(self, flag: bool) -> None:
        self.deadline = time.monotonic() + REQUEST_SECONDS
        self.settimeout(REQUEST_SECONDS if flag else 0.0)

    def recv(self, *arguments: Any) -> bytes:
        if self.gettimeout():
            self.settimeout(max(self.deadline - time.monotonic(), 0.001))
        try:
            return super().recv(*arguments)
        except TimeoutError:
            # Gunicorn takes this for a visitor who left, which is not worth a traceback in the log.
            raise ConnectionResetError(errno.ECONNRESET, "the request did not arrive in time") from None

    def has_arrived(self) -> bool:
        """Whether a whole request waits here, or its visitor left; else be readable again only when there is more."""
        try:
            begun = self.recv(LOOKED_AT, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        if len(begun) > self.looked_at and not is_whole(begun):
            self.looked_at = len(begun)
            self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, self.looked_at + 1)
            return False
        self.looked_at = 0
        self.lane = lane(begun)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        return True


class PatientConnection(TConn):  # type: ignore[misc]  # Gunicorn has no types
    """A connection that is closed gracefully by the poller."""

    def __init__(self, linger: Callable[[PatientConnection], None], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._linger = linger

    def close(self, graceful: bool = False) -> None:
        if graceful:
            self._linger(self)
        else:
            super().close()


class Threads:
    """The threads for pages, and one for each of LANES; in the place of a worker's one pool."""

    def __init__(self, number: int) -> None:
        self._pages = ThreadPoolExecutor(number)
        self._lanes = {path: ThreadPoolExecutor(1) for path in LANES}

    def submit(self, handle: Callable[[TConn], Any], connection: TConn) -> Future[Any]:
        # A request that was sent along with the one before it has not been looked at.
        asked, connection.sock.lane = connection.sock.lane, None
        return (self._lanes[asked] if asked else self._pages).submit(handle, connection)

    def shutdown(self, *, wait: bool) -> None:
        for pool in (self._pages, *self._lanes.values()):
            pool.shutdown(wait=wait)


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # Gunicorn has no types
    """Threads that are given a connection once a request has arrived on it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_hand: set[TConn] = set()

    def get_thread_pool(self) -> Threads:
        return Threads(self.cfg.threads)

    def run(self) -> None:
        try:
            super().run()
        finally:
            self.tpool.shutdown(wait=False)

    def accept(self, listener: socket.socket) -> bool:
        """Take in a visitor; return whether there was one."""
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno not in NOT_THERE_ANY_MORE:
                raise
            return False
        self.nr_conns += 1
        client = PatientSocket(fileno=accepted.detach())
        connection = PatientConnection(self._linger, self.cfg, client, address, listener.getsockname())
        self._await(connection, REQUEST_SECONDS, self.on_pending_socket_readable)
        return True

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept visitors or not; at the end of the worker, those who wait at the door are the last."""
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        while self.sockets:
            listener = self.sockets.pop()
            while self.nr_conns < self.worker_connections and self.accept(listener):
                pass
            listener.close()

    def on_client_socket_readable(self, connection: TConn, client: PatientSocket) -> None:
        self.poller.unregister(client)
        self.keepalived_conns.remove(connection)
        self._await(connection, REQUEST_SECONDS, self.on_pending_socket_readable)

    def on_pending_socket_readable(self, connection: TConn, client: PatientSocket) -> None:
        if client.has_arrived():
            super().on_pending_socket_readable(connection, client)

    def _await(self, connection: TConn, seconds: float, on_readable: Callable[[TConn, PatientSocket], None]) -> None:
        """Call this whenever more arrives on a connection; close it after so many seconds."""
        connection.timeout = time.monotonic() + seconds
        self.pending_conns.append(connection)
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(on_readable, connection))

    def _linger(self, connection: TConn) -> None:
        """Say that nothing more comes, and wait for the visitor to hang up, so that what was sent is not lost."""
        connection.sock.setblocking(False)
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            connection.close()
            return
        self.nr_conns += 1  # Gunicorn counted it out
        self._await(connection, LINGER_SECONDS, self._on_lingering_socket_readable)

    def _on_lingering_socket_readable(self, connection: TConn, client: PatientSocket) -> None:
        try:
            if client.recv(LOOKED_AT):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.poller.unregister(client)
        self.pending_conns.remove(connection)
        self.nr_conns -= 1
        connection.close()

    def handle(self, connection: TConn) -> Any:
        self._in_hand.add(connection)
        try:
            return super().handle(connection)
        finally:
            self._in_hand.discard(connection)

    def handle_quit(self, sig: int, frame: Any) -> None:
        for connection in list(self._in_hand):
            # A thread that still waits for its visitor is told that nothing more comes; one that works goes on.
            with suppress(OSError):  # the visitor left
                connection.sock.shutdown(socket.SHUT_RD)
        # Past ThreadWorker's own, which waits for a lock of its threads: the signal may have come while this very
        # thread holds it, to give one of them a request.
        Worker.handle_quit(self, sig, frame)
