"""A gthread worker in which slow clients do not occupy threads.

In Gunicorn's own, a thread waits five seconds for the first byte of a connection, and without a limit for the rest of a
request; and the whole worker waits two seconds for each client that does not close its connection. Here the poller
waits. Slow pages do occupy threads, so health checks have threads of their own: a load balancer ends a task that does
not respond.
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

# Timeout for receiving a request, and for each write of a response.
REQUEST_SECONDS = 10.0
# Timeout for a client to close its connection after the last response (RFC 9112, 9.6).
LINGER_SECONDS = 2.0
# Bytes of a request that the poller waits for: every head, and the bodies of forms and of the API. The thread reads the
# rest of a larger body, until the deadline.
PEEKED = 32_768
GONE = frozenset({errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK})
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})", re.IGNORECASE)
# Each has a thread of its own: an unavailable database delays /readyz, and must not delay /healthz.
LANES = (b"/healthz", b"/readyz")
_IN_A_LANE = re.compile(rb"(?:GET|HEAD) (" + b"|".join(LANES) + rb")[ ?]")
_BODY = re.compile(rb"\r\n(?:content-length|transfer-encoding):", re.IGNORECASE)


def is_whole(begun: bytes) -> bool:
    """Return True if enough of a request has arrived for a thread to handle it without waiting."""
    head, end, body = begun.partition(b"\r\n\r\n")
    if not end:
        return len(begun) >= PEEKED
    length = _LENGTH.search(head)
    return length is None or len(body) >= min(int(length[1]), PEEKED - len(head) - len(end))


def lane(begun: bytes) -> bytes | None:
    """Return the path among LANES that a request is for; None for others, and for one that could block its thread."""
    head, end, _ = begun.partition(b"\r\n\r\n")
    found = _IN_A_LANE.match(head)
    return found[1] if found and end and not _BODY.search(head) else None


class PatientSocket(socket.socket):
    """A socket with a deadline: once it is blocking, a request must arrive before the deadline."""

    deadline = 0.0
    peeked = 0
    lane: bytes | None = None

    def setblocking(self, flag: bool) -> None:
        """Set the mode, and start the deadline."""
        self.deadline = time.monotonic() + REQUEST_SECONDS
        self.settimeout(REQUEST_SECONDS if flag else 0.0)

    def recv(self, *arguments: Any) -> bytes:
        """Receive bytes. Raises ConnectionResetError after the deadline."""
        if self.gettimeout():
            self.settimeout(max(self.deadline - time.monotonic(), 0.001))
        try:
            return super().recv(*arguments)
        except TimeoutError:
            # Gunicorn treats this as a client that left, without a traceback in the log.
            raise ConnectionResetError(errno.ECONNRESET, "the request did not arrive in time") from None

    def has_arrived(self) -> bool:
        """Return True if a whole request has arrived or its client left; else become readable only for more bytes."""
        try:
            begun = self.recv(PEEKED, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        if len(begun) > self.peeked and not is_whole(begun):
            self.peeked = len(begun)
            self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, self.peeked + 1)
            return False
        self.peeked = 0
        self.lane = lane(begun)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        return True


class PatientConnection(TConn):  # type: ignore[misc]  # Gunicorn has no types
    """A connection that the poller closes gracefully."""

    def __init__(self, linger: Callable[[PatientConnection], None], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._linger = linger

    def close(self, graceful: bool = False) -> None:
        """Close the connection, or let the poller do it."""
        if graceful:
            self._linger(self)
        else:
            super().close()


class Threads:
    """A pool of threads for pages, and a thread for each of LANES."""

    def __init__(self, number: int) -> None:
        self._pages = ThreadPoolExecutor(number)
        self._lanes = {path: ThreadPoolExecutor(1) for path in LANES}

    def submit(self, handle: Callable[[TConn], Any], connection: TConn) -> Future[Any]:
        """Handle a connection in the thread of its lane, or in one for pages."""
        # A pipelined request has not been peeked at.
        path, connection.sock.lane = connection.sock.lane, None
        return (self._lanes[path] if path else self._pages).submit(handle, connection)

    def shutdown(self, *, wait: bool) -> None:
        """End all threads."""
        for pool in (self._pages, *self._lanes.values()):
            pool.shutdown(wait=wait)


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # Gunicorn has no types
    """A worker whose threads get a connection once a request has arrived on it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_hand: set[TConn] = set()

    def get_thread_pool(self) -> Threads:
        """Return the threads of the worker."""
        return Threads(self.cfg.threads)

    def run(self) -> None:
        """Serve until the worker is stopped."""
        try:
            super().run()
        finally:
            self.tpool.shutdown(wait=False)

    def accept(self, listener: socket.socket) -> bool:
        """Accept a connection; return False if there was none."""
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno not in GONE:
                raise
            return False
        self.nr_conns += 1
        client = PatientSocket(fileno=accepted.detach())
        connection = PatientConnection(self._linger, self.cfg, client, address, listener.getsockname())
        self._await(connection, REQUEST_SECONDS, self.on_pending_socket_readable)
        return True

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept connections or not; when the worker stops, those in the backlog are accepted first."""
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        while self.sockets:
            listener = self.sockets.pop()
            while self.nr_conns < self.worker_connections and self.accept(listener):
                pass
            listener.close()

    def on_client_socket_readable(self, connection: TConn, client: PatientSocket) -> None:
        """Wait for the rest of a further request on a kept connection."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(connection)
        self._await(connection, REQUEST_SECONDS, self.on_pending_socket_readable)

    def on_pending_socket_readable(self, connection: TConn, client: PatientSocket) -> None:
        """Hand a connection to a thread once its request has arrived."""
        if client.has_arrived():
            super().on_pending_socket_readable(connection, client)

    def _await(self, connection: TConn, seconds: float, on_readable: Callable[[TConn, PatientSocket], None]) -> None:
        """Call `on_readable` whenever bytes arrive on a connection, which is closed after the timeout."""
        connection.timeout = time.monotonic() + seconds
        self.pending_conns.append(connection)
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(on_readable, connection))

    def _linger(self, connection: TConn) -> None:
        """Close the sending side, and wait for the client to close, so that the response is not lost."""
        connection.sock.setblocking(False)
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            connection.close()
            return
        self.nr_conns += 1  # Gunicorn has counted it as closed
        self._await(connection, LINGER_SECONDS, self._on_lingering_socket_readable)

    def _on_lingering_socket_readable(self, connection: TConn, client: PatientSocket) -> None:
        try:
            if client.recv(PEEKED):
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
        """Handle the requests of a connection, in a thread."""
        self._in_hand.add(connection)
        try:
            return super().handle(connection)
        finally:
            self._in_hand.discard(connection)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Stop: threads that wait for their client end, those that work finish."""
        for connection in list(self._in_hand):
            with suppress(OSError):  # the client left
                connection.sock.shutdown(socket.SHUT_RD)
        # Not ThreadWorker's own, which waits for a lock of its pool: the signal can arrive while this thread holds it,
        # to submit a request.
        Worker.handle_quit(self, sig, frame)
