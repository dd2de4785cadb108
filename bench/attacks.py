"""Visitors who are slow on purpose, in a process of their own, and one whose pages are timed meanwhile."""

from __future__ import annotations

import argparse
import asyncio
import http.client
import math
import re
import resource
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

from .errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
PER_ADDRESS = 100  # connections that come from one address
OPENING_SECONDS = 30  # in which every connection is opened, or waits in the backlog
SPARE_FILES = 200
GIVEN_UP = 5.0  # seconds, as a load balancer's


@dataclass(frozen=True)
class Attack:
    """The conduct of each connection until its server closes it; then it comes again."""

    sent: bytes = b""
    more: bytes = b""  # sent after each pause
    pause: float = 1.0  # seconds
    reads: bool = True


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


_POST = f"POST /preferences HTTP/1.1\r\nHost: {HOST}\r\n".encode()
_FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
LARGE = "/sitemap-books-1.xml"
ATTACKS = {
    "chunked": Attack(_POST + b"Transfer-Encoding: chunked\r\n\r\n"),
    "body": Attack(_POST + _FORM + b"Content-Length: 900000\r\n\r\n" + b"x" * 33_000),
    "trickled-body": Attack(_POST + _FORM + b"Content-Length: 900000\r\n\r\n", more=b"x", reads=False),
    "pipelined-body": Attack(_get("/about") + _POST + _FORM + b"Content-Length: 900000\r\n\r\n"),
    "silent": Attack(),
    "blank": Attack(b"\r\n\r\n"),
    "head": Attack(_POST, more=b"X-More: x\r\n", reads=False),
    "pipelined-head": Attack(_get("/about") + _POST),
    "reader": Attack(_get(LARGE), reads=False),
    "pipelined-reader": Attack(_get(LARGE) * 40, reads=False),
    "idle": Attack(_get("/about")),
    "lingering": Attack(_get("/about").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), reads=False),
    "endless": Attack(more=_get("/about") * 20, pause=0.0),
}


async def _visitor(attack: Attack, port: int, address: str, opened: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    while True:
        with socket.socket() as connection, suppress(OSError):
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
            # As over Ethernet. By loopback's size, the kernel would keep megabytes for each connection.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)
            if not attack.reads:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.bind((address, 0))
            await loop.sock_connect(connection, (HOST, port))
            await loop.sock_sendall(connection, attack.sent)
            opened.set()
            while attack.more or not attack.reads:
                await asyncio.sleep(attack.pause)
                await loop.sock_sendall(connection, attack.more or b"\n")
                if attack.reads and not await loop.sock_recv(connection, 65_536):
                    break
            while not attack.more and await loop.sock_recv(connection, 65_536):
                pass
        await asyncio.sleep(1)


async def _run(attack: Attack, port: int, number: int) -> None:
    opened = [asyncio.Event() for _ in range(number)]
    visitors = [
        asyncio.create_task(_visitor(attack, port, f"127.0.1.{1 + place // PER_ADDRESS}", event))
        for place, event in enumerate(opened)
    ]
    with suppress(TimeoutError):
        async with asyncio.timeout(OPENING_SECONDS):
            for event in opened:
                await event.wait()
    print(sum(event.is_set() for event in opened), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for visitor in visitors:
        visitor.cancel()


@contextmanager
def under(name: str, port: int, number: int) -> Iterator[int]:
    """Attack a server by so many connections until the block ends; give the number that it took."""
    command = [sys.executable, "-m", __spec__.name, name, str(port), str(number)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
        with closing(stdin):
            yield int(stdout.readline())


def allow_files() -> int:
    """Raise the number of files that this process may open, of which each connection is one, and return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def visited_paths(port: int) -> tuple[str, ...]:
    """Return the paths whose answers are timed: a page, a static file of it, and a health check."""
    with closing(http.client.HTTPConnection(HOST, port, timeout=60)) as connection:
        connection.request("GET", "/")
        found = re.search(rb"/static/[^\"]+\.css", connection.getresponse().read())
    if not found:
        raise BenchError("The page names no style sheet.")
    return ("/", found[0].decode(), "/healthz")


def p99(port: int, paths: tuple[str, ...], visits: int = 100) -> dict[str, float]:
    """Return the 99th percentile of the milliseconds of each path's visits, each on a connection of its own."""
    times: dict[str, list[float]] = {path: [] for path in paths}
    for _ in range(visits):
        for path, taken in times.items():
            if taken.count(math.inf) < 2:
                taken.append(_milliseconds(port, path))
    return {path: sorted(taken)[math.ceil(len(taken) * 0.99) - 1] for path, taken in times.items()}


def _milliseconds(port: int, path: str) -> float:
    """Return how long a visit took; infinity for one that was not answered by 200 in time."""
    started = time.perf_counter()
    with closing(http.client.HTTPConnection(HOST, port, timeout=GIVEN_UP)) as connection:
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            return math.inf
    return (time.perf_counter() - started) * 1000 if response.status == 200 else math.inf


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=ATTACKS)
    parser.add_argument("port", type=int)
    parser.add_argument("number", type=int)
    given = parser.parse_args()
    asyncio.run(_run(ATTACKS[given.name], given.port, min(given.number, allow_files() - SPARE_FILES)))


if __name__ == "__main__":
    main()
