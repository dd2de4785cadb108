"""The latency of a kept page while requests for others, each new, keep the site busy: an open load.

Requests for it are due at a fixed rate, however long responses take, and each is timed from when it was due. A client
that waits for one response before it sends the next request would hardly meet the moments when the server is busy.
"""

from __future__ import annotations

import asyncio
import re
import statistics
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from .errors import BenchError
from .load import pages_per_second
from .servers import HOST

if TYPE_CHECKING:
    from .load import Target
    from .servers import Server

RATE = 200  # a second
SECONDS = 4
SETTLING = 1  # second in which the busy load begins, and that is not counted
SEARCH = "/books?q=the"
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class Hits(NamedTuple):
    """The milliseconds that the page took on a server, while so many other pages a second were made."""

    name: str
    milliseconds: list[float]
    misses: float

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.milliseconds, n=100, method="inclusive")[-1]


def measure(name: str, server: Server, path: str, busy: Target, connections: int) -> Hits:
    """Request a page of a server, while `busy` is sent searches that it was never sent before."""
    with ThreadPoolExecutor(1) as pool:
        misses = pool.submit(pages_per_second, busy, SETTLING + SECONDS + 1, connections)
        milliseconds = asyncio.run(_hits(server, path))
        return Hits(name, milliseconds, misses.result())


async def _hits(server: Server, path: str) -> list[float]:
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{server.port}\r\n\r\n".encode()
    clock = asyncio.get_running_loop().time
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def hit(due: float) -> float:
        reader, writer = idle.pop() if idle else await asyncio.open_connection(HOST, server.port)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not head.startswith(b"HTTP/1.1 200 ") or not length:
            raise BenchError(f"{server.name} answered {path} by {head[:20]!r} while it was busy.")
        await reader.readexactly(int(length[1]))
        took = clock() - due
        idle.append((reader, writer))
        return took * 1000

    begin = clock() + SETTLING
    async with asyncio.TaskGroup() as requests:
        sent = []
        for number in range(RATE * SECONDS):
            due = begin + number / RATE
            await asyncio.sleep(due - clock())
            sent.append(requests.create_task(hit(due)))
    for _, writer in idle:
        writer.close()
    return [task.result() for task in sent]
