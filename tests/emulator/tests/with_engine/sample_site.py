"""A site of one file, whose behaviour its environment sets: the tests' releases, good and bad."""

from __future__ import annotations

import http.server
import os
import signal
import sys
import threading
import time
import urllib.request

RELEASE = os.environ.get("RELEASE", "")
READY_AT = time.monotonic() + float(os.environ.get("BOOT", "0"))
HEALTH = int(os.environ.get("HEALTH", "200"))
ADDRESS = (os.environ.get("HOST", ""), int(os.environ.get("PORT", "8000")))
UPSTREAM = os.environ.get("UPSTREAM")


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together

    def do_GET(self) -> None:
        body = urllib.request.urlopen(UPSTREAM + self.path).read() if UPSTREAM else RELEASE.encode()
        self.send_response(HEALTH if self.path == "/readyz" else 200)
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
    server = SiteServer(ADDRESS, Page)
    end = signal.SIG_IGN if "DEAF" in os.environ else lambda *_: threading.Thread(target=server.shutdown).start()
    signal.signal(signal.SIGTERM, end)
    server.serve_forever()
    server.server_close()
    print(f"release {RELEASE} ends", flush=True)


main()
