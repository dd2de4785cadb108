"""The load balancer's data plane: HTTP/1.1 in, HTTP/1.1 out, connections kept alive on both sides.

It knows nothing of AWS: a routing decides about each request. Its own answers look like an Application Load Balancer's:
502 when a target hangs up or breaks the protocol, 503 when there is none, 504 when one is silent.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import h11

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .targets import Target

CONNECT = 10.0  # seconds, as an ALB waits for a target to accept
CHUNK = 65536


class Fixed(NamedTuple):
    """An answer that the load balancer gives itself."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Forward(NamedTuple):
    """The target that gets a request."""

    target: Target


Headers = list[tuple[bytes, bytes]]


class Routing(NamedTuple):
    """A listener's settings: `route` decides about requests, `idle` is the timeout of connections in seconds."""

    route: Callable[[str, str, dict[str, str]], Awaitable[Fixed | Forward]]
    idle: float
    scheme: str
    port: int


class HangUpError(Exception):
    """The peer ended the connection, or broke the protocol."""


def page(status: int) -> Fixed:
    """Return the load balancer's own page for an error."""
    title = f"{status} {http.HTTPStatus(status).phrase}"
    head, body = f"<head><title>{title}</title></head>", f"<body>\r\n<center><h1>{title}</h1></center>\r\n</body>"
    html = "\r\n".join(("<html>", head, body, "</html>", ""))
    return Fixed(status, [("Content-Type", "text/html")], html.encode())


@dataclass
class Peer:
    """One side of an exchange: a connection, and h11's state of it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    state: h11.Connection

    async def event(self, seconds: float) -> Any:
        """Return the next event. Raises TimeoutError, and HangUpError at the end of the connection."""
        while True:
            try:
                found = self.state.next_event()
            except h11.RemoteProtocolError as error:
                raise HangUpError(str(error)) from error
            if found is not h11.NEED_DATA:
                return found
            if self.state.they_are_waiting_for_100_continue:
                self.writer.write(self.state.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            try:
                async with asyncio.timeout(seconds):
                    self.state.receive_data(await self.reader.read(CHUNK))
            except TimeoutError:  # which is an OSError, too
                raise
            except OSError as error:
                raise HangUpError(str(error)) from error

    async def send(self, *events: Any) -> None:
        """Write events in one go. Raises HangUpError."""
        try:
            self.writer.write(b"".join(self.state.send(event) or b"" for event in events))
            await self.writer.drain()
        except (OSError, h11.LocalProtocolError) as error:
            raise HangUpError(str(error)) from error

    def close(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self.writer.close()


@dataclass
class Proxy:
    """A listener that forwards. `routing` is called for each request, so that changes take effect."""

    routing: Callable[[], Routing]
    _kept: dict[Target, list[Peer]] = field(default_factory=lambda: defaultdict(list))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it leaves."""
        client = Peer(reader, writer, h11.Connection(h11.SERVER))
        try:
            while await self._exchange(client, self.routing()):
                client.state.start_next_cycle()
        except (HangUpError, TimeoutError, asyncio.CancelledError):
            pass  # the client is gone, or has been silent for too long
        finally:
            client.close()

    def close(self) -> None:
        """Close the connections to targets that are kept."""
        for peers in self._kept.values():
            for peer in peers:
                peer.close()

    async def _exchange(self, client: Peer, routing: Routing) -> bool:
        """Answer one request. Return True if the connection can take another."""
        try:
            request = await client.event(routing.idle)
        except HangUpError:
            if client.state.our_state is h11.IDLE:
                await self._answer(client, page(400))
            return False
        if not isinstance(request, h11.Request):
            return False
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
        target = request.target.decode("latin-1")
        decision = await routing.route(request.method.decode(), target, fields)
        if isinstance(decision, Fixed):
            await self._finish(client, routing)
            await self._answer(client, decision, head=request.method == b"HEAD")
        else:
            await self._forward(client, request, decision.target, routing)
        return client.state.our_state is h11.DONE and client.state.their_state is h11.DONE

    async def _finish(self, client: Peer, routing: Routing) -> None:
        """Read and drop the rest of a request."""
        while client.state.their_state is h11.SEND_BODY:
            await client.event(routing.idle)

    async def _answer(self, client: Peer, fixed: Fixed, *, head: bool = False) -> None:
        headers = [*fixed.headers, ("Server", "awselb/2.0"), ("Content-Length", str(len(fixed.body)))]
        await client.send(
            h11.Response(status_code=fixed.status, headers=headers, reason=http.HTTPStatus(fixed.status).phrase),
            *([] if head else [h11.Data(data=fixed.body)]),
            h11.EndOfMessage(),
        )

    async def _forward(self, client: Peer, request: h11.Request, target: Target, routing: Routing) -> None:
        try:
            upstream = self._reuse(target) or await self._connect(target)
        except OSError as error:
            await self._finish(client, routing)
            await self._answer(client, page(504 if isinstance(error, TimeoutError) else 502))
            return
        try:
            response = await self._ask(client, request, upstream, routing)
        except (HangUpError, TimeoutError) as error:
            upstream.close()
            if client.state.our_state is h11.SEND_RESPONSE:
                await self._answer(client, page(504 if isinstance(error, TimeoutError) else 502))
            return
        try:
            await self._relay(client, response, upstream, routing)
        except (HangUpError, TimeoutError):
            upstream.close()
            raise
        if upstream.state.our_state is upstream.state.their_state is h11.DONE and target.name == "healthy":
            upstream.state.start_next_cycle()
            self._kept[target].append(upstream)
        else:
            upstream.close()

    async def _ask(self, client: Peer, request: h11.Request, upstream: Peer, routing: Routing) -> h11.Response:
        """Send the request on with its body, and return the head of the response."""
        head = h11.Request(
            method=request.method, target=request.target, headers=_forwarded(client, request.headers, routing)
        )
        if client.state.their_state is h11.DONE:
            await upstream.send(head, h11.EndOfMessage())
        else:
            await upstream.send(head)
            while not isinstance(event := await client.event(routing.idle), h11.EndOfMessage):
                await upstream.send(h11.Data(data=event.data))
            await upstream.send(h11.EndOfMessage())
        while not isinstance(event := await upstream.event(routing.idle), h11.Response):
            if not isinstance(event, h11.InformationalResponse):
                raise HangUpError("the target closed the connection")
        return event

    async def _relay(self, client: Peer, response: h11.Response, upstream: Peer, routing: Routing) -> None:
        """Send a response back as it comes."""
        headers = [(name, value) for name, value in response.headers.raw_items() if name.lower() not in HOP]
        pending: list[Any] = [h11.Response(status_code=response.status_code, headers=headers, reason=response.reason)]
        while not isinstance(event := await upstream.event(routing.idle), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise HangUpError("the target closed the connection")
            await client.send(*pending, h11.Data(data=event.data))
            pending = []
        await client.send(*pending, h11.EndOfMessage())

    def _reuse(self, target: Target) -> Peer | None:
        """Return a connection that is still open, if one is."""
        self._kept = defaultdict(list, {known: peers for known, peers in self._kept.items() if _keeps(known, peers)})
        kept = self._kept[target]
        while kept:
            peer = kept.pop()
            if not peer.reader.at_eof() and peer.reader.exception() is None:
                return peer
            peer.close()
        return None

    async def _connect(self, target: Target) -> Peer:
        async with asyncio.timeout(CONNECT):
            reader, writer = await asyncio.open_connection(target.host, target.at)
        return Peer(reader, writer, h11.Connection(h11.CLIENT))


HOP = (b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade", b"expect")


def _keeps(target: Target, peers: list[Peer]) -> bool:
    """Return True if a target's idle connections are kept; close them if not."""
    if target.name == "healthy" and peers:
        return True
    for peer in peers:
        peer.close()
    return False


def _forwarded(client: Peer, headers: Any, routing: Routing) -> Headers:
    """Return the request's headers with those that a load balancer adds about the client."""
    address = (client.writer.get_extra_info("peername") or ("127.0.0.1",))[0]
    kept = [(name, value) for name, value in headers.raw_items() if name.lower() not in HOP]
    before = [value for name, value in kept if name.lower() == b"x-forwarded-for"]
    own = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-port", b"x-amzn-trace-id")
    moment = uuid.uuid4().hex
    return [(name, value) for name, value in kept if name.lower() not in own] + [
        (b"X-Forwarded-For", b", ".join([*before, address.encode()])),
        (b"X-Forwarded-Proto", routing.scheme.encode()),
        (b"X-Forwarded-Port", str(routing.port).encode()),
        (b"X-Amzn-Trace-Id", f"Root=1-{moment[:8]}-{moment[8:]}".encode()),
    ]
