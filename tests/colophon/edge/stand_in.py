"""A site that a test can hold, break and change, and the edge before it, as a process of its own."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tests.conftest import SETTING_NAMES
from tests.waiting import LONGEST, until

if TYPE_CHECKING:
    from pathlib import Path


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def cache(self) -> str:
        """What the edge says of where the answer is from."""
        return self.headers.get("Cache-Status", "").removeprefix("edge; ")


def fetch(port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """Send one request on a connection of its own. Names of headers are written with _ for -."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


class Handler(BaseHTTPRequestHandler):
    """Answers with the site's text; /readyz tells its state."""

    protocol_version = "HTTP/1.1"
    server: Site

    def _handle(self) -> None:
        site = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/readyz":
            self._respond(200 if site.well else 503, b"", {"Colophon-State": site.state} if site.well else {})
            return
        site.seen.append((self.command, self.path, dict(self.headers), body))
        state = site.state
        site.going_on.wait(LONGEST)
        if not site.well:
            self._respond(503, b"away", {"Retry-After": "5"})
        elif site.refused:
            self._respond(404, b"", {})
        elif self.path.startswith("/own/"):
            self._respond(200, site.text.encode(), {})
        else:
            headers = {"Colophon-State": state, "X-Accel-Expires": "@1", "ETag": f'"{site.text}"'}
            self._respond(200, site.text.encode(), headers | site.headers)

    do_GET = do_HEAD = do_POST = _handle  # noqa: N815 -- the names that the base class calls

    def _respond(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        kept = {"Cache-Control": "private, no-cache", "Vary": "Cookie, Accept-Encoding", "X-Request-Id": "the site's"}
        for name, value in (kept | headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.server.answered.append(self.path)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class Site(ThreadingHTTPServer):
    """The site behind the edge."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.port: int = self.server_address[1]
        self.state = "first"
        self.text = "text"
        self.headers: dict[str, str] = {}
        self.well = True
        self.refused = False
        self.going_on = threading.Event()
        self.going_on.set()
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answered: list[str] = []
        self.connections: list[socket.socket] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def paths(self) -> list[str]:
        """Return the paths of the requests that came through."""
        return [path for _, path, _, _ in self.seen]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Handle a connection, which ends with the site."""
        self.connections.append(request)
        super().process_request(request, client_address)

    def handle_error(self, *_: object) -> None:
        """Leave out what a connection that was closed makes of it."""

    def end(self) -> None:
        """Close all connections, and stop listening."""
        self.shutdown()
        self.server_close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Edge:
    """The edge, run by its command."""

    def __init__(self, folder: Path, site_port: int, **settings: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.log = folder / "edge.log"
        outside = {name: value for name, value in os.environ.items() if name not in SETTING_NAMES}
        own = {"PORT": str(self.port), "UPSTREAM": f"127.0.0.1:{site_port}", "SITE_URL": "http://localhost"}
        with self.log.open("a") as log:  # as nginx does, which opens it anew
            self.process = subprocess.Popen(
                [sys.executable, "-m", "colophon", "edge"],
                cwd=folder,
                env=outside | own | settings,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self) -> Self:
        """Wait until a page would be kept. Raises AssertionError when the edge has ended."""
        if not until(self._is_ready, alive=lambda: self.process.poll() is None):
            self.stop()
            raise AssertionError(f"the edge did not start:\n{self.log.read_text()}")
        return self

    def _is_ready(self) -> bool:
        return "the site is well" in self.log.read_text() and self.listens()

    def listens(self) -> bool:
        """Return True while it accepts connections."""
        with socket.socket() as visitor:
            return visitor.connect_ex(("127.0.0.1", self.port)) == 0

    def fetch(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """Send one request through the edge."""
        return fetch(self.port, path, method, body, **headers)

    def stop(self, signal_number: int = 15) -> int:
        """End the edge and return its exit code."""
        self.process.send_signal(signal_number)
        return self.process.wait(LONGEST)
