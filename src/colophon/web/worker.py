"""A gthread worker in which slow clients do not occupy the threads of pages.

In Gunicorn's own, a thread waits five seconds for the first byte of a connection, and without a limit for the rest of a
request; and the whole worker waits two seconds for each client that does not close its connection. Here the poller
waits, and a lane of one thread has the requests that it cannot peek at whole. Slow pages do occupy threads, so health
checks have lanes of their own: a load balancer ends a task that does not respond.

Behind the edge, which sends whole requests and takes whole responses, what is needed of this are the lanes of health
checks and the graceful stop. The rest is for a site without one: bench/README.md, "Slow visitors", has what each part
was measured to do. There, a response that is larger than the kernel's buffer occupies its thread until it is read.
"""

from __future__ import annotations

import errno
import re
import selectors
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from gunicorn.workers.gthread import TConn, ThreadWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# From the first wait for a request until all of it has arrived; and for each write of a response.
REQUEST_SECONDS = 10.0
# Timeout for a client to close its connection after the last response (RFC 9112, 9.6).
LINGER_SECONDS = 2.0
# Bytes of a request that the poller waits for: every head, and the bodies of forms and of the API.
PEEKED = 32_768
GONE = frozenset({errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK})
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*0*(\d{1,12})", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
# Each has a thread of its own: an unavailable database delays /readyz, and must not delay /healthz; a client that sends
# slowly delays others whose requests cannot be peeked at whole, and must not delay pages.
HEALTH = (b"/healthz", b"/readyz")
SLOW = b"slow"
PAGES = b"pages"
_HEALTH_CHECK = re.compile(rb"(?:GET|HEAD) (" + b"|".join(HEALTH) + rb")[ ?]")


def lane(begun: bytes) -> bytes | None:
    """Return the lane of a request of which so much has arrived; None if the poller should wait for more."""
    head, end, body = begun.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    missing = int(length[1]) - len(body) if length else 0
    if (missing > 0 or not end) and len(begun) < PEEKED:
        return None
    if missing > 0 or not end or _CHUNKED.search(head):
        return SLOW
    health = _HEALTH_CHECK.match(head)
    return health[1] if health else PAGES


@contextmanager
def _in_time() -> Iterator[None]:
    """Raise what Gunicorn treats as a client that left, without a traceback in the log, for one that was too slow."""
    try:
        yield
    except TimeoutError:
        raise ConnectionResetError(errno.ECONNRESET, "the client was too slow") from None


class PatientSocket(socket.socket):
    """A socket with a deadline for requests and a timeout for responses."""

    deadline = 0.0
    peeked = 0
    lane = SLOW

    def setblocking(self, flag: bool) -> None:
        """Set the mode; blocking means waiting with a timeout."""
        self.settimeout(REQUEST_SECONDS if flag else 0.0)

    @_in_time()
    def recv(self, *arguments: Any) -> bytes:
        """Receive bytes. Raises ConnectionResetError after the deadline."""
        if self.gettimeout():
            self.settimeout(max(self.deadline - time.monotonic(), 0.001))
        return super().recv(*arguments)

    @_in_time()
    def sendall(self, *arguments: Any) -> None:
        """Send bytes. Raises ConnectionResetError after the timeout."""
        self.settimeout(REQUEST_SECONDS)
        super().sendall(*arguments)

    @_in_time()
    def sendfile(self, *arguments: Any, **options: Any) -> int:
        """Send a file. Raises ConnectionResetError after the timeout."""
        self.settimeout(REQUEST_SECONDS)
        return super().sendfile(*arguments, **options)

    def has_arrived(self) -> bool:
        """Return True if a thread can take the request or its client left; else become readable only for more bytes."""
        try:
            begun = self.recv(PEEKED, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        found = lane(begun)
        if found is None and len(begun) > self.peeked:
            self.peeked = len(begun)
            self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, self.peeked + 1)
            return False
        self.peeked = 0
        self.lane = found or SLOW
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
    """A pool of threads for pages, and a thread for each other lane."""

    def __init__(self, number: int) -> None:
        self._lanes = {name: ThreadPoolExecutor(1) for name in (*HEALTH, SLOW)} | {PAGES: ThreadPoolExecutor(number)}

    def submit(self, handle: Callable[[TConn], Any], connection: TConn) -> Future[Any]:
        """Handle a connection in a thread of its lane."""
        # A pipelined request has not been peeked at.
        name, connection.sock.lane = connection.sock.lane, SLOW
        return self._lanes[name].submit(handle, connection)

    def shutdown(self, *, wait: bool) -> None:
        """End all threads."""
        for pool in self._lanes.values():
            pool.shutdown(wait=wait)


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # Gunicorn has no types
    """A worker whose threads get a connection once a request has arrived on it."""

    def get_thread_pool(self) -> Threads:
        """Return the threads of the worker."""
        return Threads(self.cfg.threads)

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

    def _cap_keepalive(self, deadline: float) -> None:
        """Wait as long for a request on a new connection as on a kept one; the worker is stopping."""
        super()._cap_keepalive(deadline)
        for connection in self.pending_conns:
            connection.timeout = min(connection.timeout, deadline)

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
        connection.timeout = connection.sock.deadline = time.monotonic() + seconds
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

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Stop as after SIGTERM: Ctrl-C loses no request either."""
        self.handle_exit(sig, frame)
