"""The load balancer's data plane: forwarded requests, its own answers, and kept connections."""

import asyncio
import itertools

import pytest

from tests.emulator.proxy import Fixed, Forward, Proxy, Routing, page
from tests.emulator.targets import Target
from tests.emulator.tests.without_engine.scripted_service import quiet

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: books\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: books\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: books\r\nContent-Length: 2\r\n"


def length_of(head):
    lines = head.lower().split("\r\n")
    return next((int(line[16:]) for line in lines if line.startswith("content-length: ")), 0)


class Site:
    """A target that answers every request with the same bytes, and keeps the requests."""

    def __init__(self, answer=OK, *, close=False):
        self.answer = answer
        self.close = close
        self.requests = []
        self.connections = 0

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                body = b""
                if length_of(head):
                    body = await reader.readexactly(length_of(head))
                elif "transfer-encoding: chunked" in head.lower():
                    while size := int((await reader.readline()).strip(), 16):
                        body += (await reader.readexactly(size + 2))[:-2]
                    await reader.readline()
                self.requests.append((head, body))
                writer.write(self.answer)
                if self.close:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


class Stand:
    """A load balancer in front of sites. It answers `answer` itself, where that is given."""

    def __init__(self, *sites, idle=20.0, answer=None):
        self.sites, self.idle, self.answer = sites, idle, answer
        self.servers, self.targets, self.clients = [], [], []
        self.turns = itertools.count()
        self.proxy = Proxy(lambda: Routing(self.route, self.idle, "https", 443))

    async def __aenter__(self):
        for site in self.sites:
            server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
            self.servers.append(server)
            at = server.sockets[0].getsockname()[1]
            self.targets.append(Target("group", "10.0.0.1", 8000, "127.0.0.1", at, name="healthy"))
        self.front = await asyncio.start_server(self.proxy.serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_):
        for client in self.clients:
            client.writer.close()
        self.proxy.close()
        for server in (self.front, *self.servers):
            server.close()
        await quiet()

    async def route(self, _method, _target, _headers):
        usable = [target for target in self.targets if target.name == "healthy"]
        return self.answer or Forward(usable[next(self.turns) % len(usable)])

    async def client(self):
        opened = await asyncio.open_connection("127.0.0.1", self.front.sockets[0].getsockname()[1])
        self.clients.append(Client(*opened))
        return self.clients[-1]


class Client:
    """A connection to a load balancer."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def request(self, sent=GET, *, body=True):
        self.writer.write(sent)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        return head, await self.reader.readexactly(length_of(head) if body else 0)


def played(scene, *sites, **settings):
    """Run a scene with a load balancer in front of sites and a client, and return its result."""

    async def bounded():
        async with asyncio.timeout(30), Stand(*sites, **settings) as stand:
            return await scene(stand, await stand.client())

    return asyncio.run(bounded())


def answered(site, sent=GET, **settings):
    """Return the answer to one request, head and body."""
    return played(lambda _, client: client.request(sent), site, **settings)


def waiting_site(arrived, released):
    """Return a site that tells of a request when it has arrived, and answers it when it is released."""

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        arrived()
        await released.wait()
        writer.write(OK)
        writer.close()

    site = Site()
    site.serve = serve
    return site


def test_a_request_and_its_answer_pass():
    site = Site(b"HTTP/1.1 201 Made\r\nContent-Length: 3\r\nX-Own: 1\r\n\r\nyes")
    head, body = answered(site, b"GET /books?q=a%20b HTTP/1.1\r\nHost: books\r\nAccept: text/html\r\n\r\n")
    assert head.startswith("HTTP/1.1 201 Made\r\n")
    assert "X-Own: 1\r\n" in head
    assert body == b"yes"
    request = site.requests[0][0]
    assert request.startswith("GET /books?q=a%20b HTTP/1.1\r\n")
    assert "Host: books\r\n" in request
    assert "Accept: text/html\r\n" in request


def test_a_target_gets_headers_about_the_client():
    site = Site()
    answered(site, b"GET / HTTP/1.1\r\nHost: books\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: gopher\r\n\r\n")
    lines = site.requests[0][0].split("\r\n")
    assert "X-Forwarded-For: 1.2.3.4, 127.0.0.1" in lines
    assert "X-Forwarded-Proto: https" in lines
    assert "X-Forwarded-Port: 443" in lines
    assert not any("gopher" in line for line in lines)
    assert sum(line.startswith("X-Amzn-Trace-Id: Root=1-") for line in lines) == 1


@pytest.mark.parametrize(
    ("framing", "body"),
    [("Content-Length: 300000", b"x" * 300000), ("Transfer-Encoding: chunked", b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")],
)
def test_a_body_passes_however_it_is_framed(framing, body):
    site = Site()
    answered(site, f"POST /books HTTP/1.1\r\nHost: books\r\n{framing}\r\n\r\n".encode() + body)
    assert site.requests[0][1] == (body if framing.startswith("Content") else b"hello!")


def test_a_large_answer_passes():
    body = b"y" * 3_000_000
    assert answered(Site(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + body))[1] == body


async def to_the_end(_stand, client):
    """Return all that a client receives until its connection ends."""
    client.writer.write(b"GET / HTTP/1.1\r\nHost: books\r\nConnection: close\r\n\r\n")
    return await client.reader.read()


def test_an_answer_without_a_length_ends_with_its_connection():
    assert b"all" in played(to_the_end, Site(b"HTTP/1.0 200 OK\r\n\r\nall", close=True))


def test_an_answer_that_breaks_off_ends_the_connection():
    found = played(to_the_end, Site(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", close=True))
    assert found.endswith(b"half")


async def two_heads(_stand, client):
    """Return the answers to two HEAD requests on one connection."""
    return [(await client.request(HEAD, body=False))[0] for _ in range(2)]


def test_a_head_request_has_no_body():
    _, head = played(two_heads, Site(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"))
    assert "Content-Length: 2\r\n" in head


def test_an_answer_of_its_own_to_a_head_request_has_no_body_either():
    assert all(head.startswith("HTTP/1.1 503 ") for head in played(two_heads, Site(), answer=page(503)))


def test_a_client_that_waits_for_100_continue_gets_it():
    async def scene(_stand, client):
        client.writer.write(POST + b"Expect: 100-continue\r\n\r\n")
        word = await client.reader.readuntil(b"\r\n\r\n")
        await client.request(b"hi")
        return word

    site = Site()
    assert played(scene, site).startswith(b"HTTP/1.1 100")
    assert site.requests[0][1] == b"hi"


def test_connections_are_kept_on_both_sides():
    async def scene(stand, client):
        for _ in range(3):
            await client.request()
        client.writer.close()
        await (await stand.client()).request()

    site = Site()
    played(scene, site)
    assert len(site.requests) == 4
    assert site.connections == 1


def test_many_clients_are_served_at_once():
    arrived, released = itertools.count(1), asyncio.Event()

    async def scene(stand, client):
        clients = [client, *[await stand.client() for _ in range(19)]]
        return await asyncio.gather(*(each.request() for each in clients))

    site = waiting_site(lambda: next(arrived) == 20 and released.set(), released)
    assert [body for _, body in played(scene, site)] == [b"ok"] * 20


def test_a_kept_connection_that_the_target_closed_is_not_used():
    async def scene(_stand, client):
        heads = []
        for _ in range(3):
            heads.append((await client.request())[0])
            await asyncio.sleep(0.05)
        return heads

    assert all(head.startswith("HTTP/1.1 200") for head in played(scene, Site(close=True)))


def test_a_client_that_stays_is_moved_when_its_target_drains():
    async def scene(stand, client):
        stand.targets[1].name = "initial"
        await client.request()
        stand.targets[0].name, stand.targets[1].name = "draining", "healthy"
        for _ in range(3):
            await client.request()

    old, new = Site(), Site()
    played(scene, old, new)
    assert (len(old.requests), len(new.requests)) == (1, 3)


def test_a_request_under_way_ends_well_when_its_target_drains():
    arrived, released = asyncio.Event(), asyncio.Event()

    async def scene(stand, client):
        answer = asyncio.create_task(client.request())
        await arrived.wait()
        stand.targets[0].name = "draining"
        released.set()
        return await answer

    assert played(scene, waiting_site(arrived.set, released))[1] == b"ok"


@pytest.mark.parametrize(
    ("site", "settings", "status"),
    [
        (Site(b""), {"idle": 0.2}, 504),
        (Site(b"", close=True), {}, 502),
        (Site(b"SSH-2.0-x\r\n\r\n", close=True), {}, 502),
        (Site(), {"answer": page(503)}, 503),
    ],
    ids=["silent", "hangs up", "no HTTP", "no target"],
)
def test_errors_look_like_awss(site, settings, status):
    head, body = answered(site, **settings)
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert "Server: awselb/2.0\r\n" in head
    assert f"<center><h1>{status} ".encode() in body


def test_a_target_that_refuses_connections_is_a_502():
    async def scene(stand, client):
        stand.servers[0].close()
        await stand.servers[0].wait_closed()
        return [(await client.request(sent))[0] for sent in (POST + b"\r\nhi", GET)]

    assert all(head.startswith("HTTP/1.1 502 Bad Gateway") for head in played(scene, Site()))


def test_a_malformed_request_is_refused():
    head, _ = answered(Site(), b"nonsense\r\n\r\n")
    assert head.startswith("HTTP/1.1 400 ")


def test_a_fixed_answer_is_given_as_it_is():
    head, body = answered(Site(), answer=Fixed(301, [("Location", "https://books/")], b""))
    assert head.startswith("HTTP/1.1 301 ")
    assert "Location: https://books/\r\n" in head
    assert body == b""
