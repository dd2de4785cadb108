"""A site of one file, whose behaviour its environment sets: the tests' releases, good and bad."""

from __future__ import annotations

import http.server
import json
import os
import signal
import sys
import threading
import time

RELEASE = os.environ.get("RELEASE", "")
READY_AT = time.monotonic() + float(os.environ.get("BOOT", "0"))
HEALTH = int(os.environ.get("HEALTH", "200"))
SLOW = float(os.environ.get("SLOW", "0"))


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together

    def do_GET(self) -> None:
        status, body = 200, RELEASE
        if self.path == "/readyz":
            status = HEALTH
        elif self.path == "/slow":
            time.sleep(SLOW)
        elif self.path == "/environment":
            body = json.dumps(dict(os.environ))
        elif self.path == "/headers":
            body = json.dumps({name.lower(): value for name, value in self.headers.items()})
        elif self.path == "/hang-up":
            self.close_connection = True
            return
        self.answer(status, body.encode())

    def do_POST(self) -> None:
        self.answer(200, self.rfile.read(int(self.headers["Content-Length"]))[::-1])

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Release", RELEASE)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class SiteServer(http.server.ThreadingHTTPServer):
    request_queue_size = 128


def main() -> None:
    print(f"release {RELEASE} starts", flush=True)
    if "EXIT" in os.environ:
        print("cannot go on", file=sys.stderr, flush=True)
        sys.exit(int(os.environ["EXIT"]))
    if "EAT" in os.environ:
        hoard = [bytearray(1024 * 1024 * 8) for _ in range(int(os.environ["EAT"]))]
        print(len(hoard))
    time.sleep(max(0.0, READY_AT - time.monotonic()))
    server = SiteServer(("", 8000), Page)
    if "DEAF" not in os.environ:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    else:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server.serve_forever()
    server.server_close()
    print(f"release {RELEASE} ends", flush=True)


main()
