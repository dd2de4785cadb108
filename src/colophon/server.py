"""Gunicorn's thread worker, made patient: visitors who send slowly, or nothing at all, hold no thread.

As it comes, a thread waits for a new connection's first byte for five seconds, and for the rest of a request without
end; as many such visitors as there are threads would keep everybody out, the health check too. Here the poller waits.
"""

from __future__ import annotations

import errno
import re
import selectors
import socket
import time
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

# A request has this long to arrive, as has each part of an answer to be taken.
REQUEST_SECONDS = 10.0
# What is looked at before a thread is given: every head, and the bodies of forms and of the API. The rest of a larger
# body is read by the thread, until the deadline.
LOOKED_AT = 32_768
NOT_THERE_ANY_MORE = frozenset({errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK})
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})", re.IGNORECASE)


def is_whole(begun: bytes) -> bool:
    """Whether a request that has begun to arrive can be worked on without waiting for more of it."""
    head, end, body = begun.partition(b"\r\n\r\n")
    if not end:
        return len(begun) >= LOOKED_AT
    length = _LENGTH.search(head)
    return length is None or len(body) >= min(int(length[1]), LOOKED_AT - len(head) - len(end))


class PatientSocket(socket.socket):
    """A socket whose 'blocking' ends: from then on, all that is received must arrive before the deadline."""

    deadline = 0.0
    looked_at = 0

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
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        return True


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # Gunicorn has no types
    """Threads that are given a connection once a request has arrived on it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_hand: set[TConn] = set()

    def accept(self, listener: socket.socket) -> None:
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno not in NOT_THERE_ANY_MORE:
                raise
            return
        self.nr_conns += 1
        client = PatientSocket(fileno=accepted.detach())
        self._await_request(TConn(self.cfg, client, address, listener.getsockname()))

    def on_client_socket_readable(self, connection: TConn, client: PatientSocket) -> None:
        self.poller.unregister(client)
        self.keepalived_conns.remove(connection)
        self._await_request(connection)

    def on_pending_socket_readable(self, connection: TConn, client: PatientSocket) -> None:
        if client.has_arrived():
            super().on_pending_socket_readable(connection, client)

    def _await_request(self, connection: TConn) -> None:
        connection.timeout = time.monotonic() + REQUEST_SECONDS
        self.pending_conns.append(connection)
        readable = partial(self.on_pending_socket_readable, connection)
        self.poller.register(connection.sock, selectors.EVENT_READ, readable)

    def handle(self, connection: TConn) -> Any:
        self._in_hand.add(connection)
        try:
            return super().handle(connection)
        finally:
            self._in_hand.discard(connection)

    def handle_quit(self, sig: int, frame: Any) -> None:
        for connection in list(self._in_hand):
            # A thread that still waits for its visitor is told that nothing more comes; one that works goes on.
            connection.sock.shutdown(socket.SHUT_RD)
        super().handle_quit(sig, frame)
