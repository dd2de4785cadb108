"""Run nginx before the site, and tell it the site's state: a program with nothing but the standard library in memory.

nginx has the name of the state in the keys of its cache. So a page is kept for as long as the catalogue and the release
stay the same, and for no longer than SECONDS after a change.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

SECONDS = 0.5  # between two looks at the site
TIMEOUT = 2.0
# nginx's own lines: the time, which the log has, the level and the process.
_LINE = re.compile(r"(?:[\d/]+ [\d:]+ )?\[(?P<level>\w+)\] (?:\d+#\d+: )?(?P<text>.*)")


class Edge(NamedTuple):
    """The edge as configuration.py made it: `site` is HOST:PORT, `header` names the state in the site's /readyz."""

    nginx: str
    folder: str
    bind: str
    site: str
    header: str


class Watch:
    """The state of the site as it was when the site was last well."""

    def __init__(self, site: str, header: str, folder: Path) -> None:
        host, _, port = site.rpartition(":")
        self._site = host, int(port)
        self._header = header
        self._folder = folder
        self._address = ""
        self._state = ""  # no page is of this one
        self._well_at = time.monotonic()

    def has_moved(self) -> bool:
        """Write down the site's address for nginx, which looks for a name only once; return True if it is another."""
        try:
            found = socket.getaddrinfo(*self._site, socket.AF_INET, socket.SOCK_STREAM)
            address = f"{found[0][4][0]}:{self._site[1]}"
        except OSError:
            address = self._address or "127.0.0.1:9 down"  # not known yet
        if address == self._address:
            return False
        self._address = address
        (self._folder / "site.conf").write_text(f"server {address};\n")
        return True

    def look(self) -> bool:
        """Look at the site, and tell nginx; return True if the site is well."""
        state = self._current_state()
        now = time.monotonic()
        if state:
            self._state, self._well_at = state, now
        self._tell_nginx(int(now - self._well_at))
        return bool(state)

    def _current_state(self) -> str:
        with closing(http.client.HTTPConnection(*self._site, timeout=TIMEOUT)) as connection:
            try:
                connection.request("GET", "/readyz")
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                return ""
        state = response.headers.get(self._header, "")
        return state if response.status == 200 and state.isalnum() else ""

    def _tell_nginx(self, age: int) -> None:
        with closing(socket.socket(socket.AF_UNIX)) as nginx:
            nginx.settimeout(TIMEOUT)
            try:
                nginx.connect(str(self._folder / "situation.sock"))
                nginx.sendall(f"GET /?state={self._state}&age={age} HTTP/1.0\r\n\r\n".encode())
                nginx.recv(1)
            except OSError:
                return  # it has not started yet, or is ending


def log(level: str, event: str) -> None:
    """Write a line of the log, whose other lines nginx writes."""
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "level": level, "logger": "colophon.edge"}
    sys.stdout.write(json.dumps(line | {"event": event}) + "\n")
    sys.stdout.flush()


def relay(lines: IO[str], ended: threading.Event) -> None:
    """Write nginx's own lines to the log, in its form."""
    for line in lines:
        found = _LINE.match(line)
        log(found["level"] if found else "info", f"nginx: {found['text'] if found else line.rstrip()}")
    ended.set()


def run(edge: Edge) -> int:
    """Run nginx until a signal ends it, and return its exit code."""
    folder = Path(edge.folder)
    watch = Watch(edge.site, edge.header, folder)
    watch.has_moved()
    ended = threading.Event()
    command = [edge.nginx, "-e", "stderr", "-p", edge.folder, "-c", str(folder / "nginx.conf")]
    # In a session of its own: a terminal's Ctrl-C would end nginx at once, and requests with it.
    nginx = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True)  # noqa: S603 -- no input from visitors
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda *_: nginx.send_signal(signal.SIGQUIT))  # requests under way are finished
    threading.Thread(target=relay, args=(nginx.stderr, ended), daemon=True).start()
    log("info", f"the edge is at {edge.bind}, before the site at {edge.site} (Ctrl-C ends it)")
    was_well = False
    try:
        while nginx.poll() is None:
            well = watch.look()
            if well != was_well:
                log(
                    *(
                        ("info", "the site is well")
                        if well
                        else ("warn", "the site is away: last good pages are served")
                    )
                )
                was_well = well
            if not well and watch.has_moved():
                nginx.send_signal(signal.SIGHUP)
            ended.wait(SECONDS)
    finally:
        nginx.kill()
    return nginx.wait()


if __name__ == "__main__":
    described = Edge(*sys.argv[1:])
    try:
        sys.exit(run(described))
    finally:
        shutil.rmtree(described.folder, ignore_errors=True)
