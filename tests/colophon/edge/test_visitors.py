"""Visitors, as the edge takes them: slow, many, with proxies before it, with too much, or with nonsense."""

import json
import socket
import threading

import pytest

from tests.colophon.edge.stand_in import Edge
from tests.waiting import until

SLOW = b"POST /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"


def connect(edge):
    return socket.create_connection(("127.0.0.1", edge.port))


def received(visitor):
    """Return all that comes until the edge closes the connection."""
    parts = []
    while part := visitor.recv(65_536):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    ("head", "begun", "rest"),
    [
        (b"Content-Length: 10\r\n", b"first", b"-last"),
        (b"Transfer-Encoding: chunked\r\n", b"5\r\nfirst\r\n", b"5\r\n-last\r\n0\r\n\r\n"),
    ],
)
def test_the_site_gets_a_body_once_it_has_arrived_and_knows_its_length(site, edge, head, begun, rest):
    with connect(edge) as visitor:
        visitor.sendall(SLOW + head + b"\r\n" + begun)
        # Another's request, sent later, is through before.
        assert edge.fetch("/own/quick").status == 200
        assert site.paths() == ["/own/quick"]
        visitor.sendall(rest)
        assert received(visitor).startswith(b"HTTP/1.1 200")
    method, path, headers, body = site.seen[-1]
    assert (method, path, headers["Content-Length"], body) == ("POST", "/slow", "10", b"first-last")


def test_the_site_is_done_with_a_large_answer_before_a_slow_visitor_reads_it(site, edge):
    site.text = "x" * 8_000_000
    with connect(edge) as visitor:
        visitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        visitor.sendall(b"GET /own/large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert until(lambda: "/own/large" in site.answered)


def test_a_thousand_visitors_behind_one_address_are_all_let_in(site, edge):
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.extend(edge.fetch("/many").status for _ in range(20)))
        for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 1000


@pytest.fixture(scope="module")
def strict(nginx, both, tmp_path_factory):
    """An edge behind two proxies that takes little from each visitor."""
    settings = {"EDGE_REQUESTS_PER_SECOND": "1", "EDGE_CONNECTIONS": "1", "MAX_REQUEST_BYTES": "1024"}
    edge = Edge(tmp_path_factory.mktemp("strict"), both[0].port, TRUSTED_PROXIES="2", **settings).wait()
    yield edge
    edge.stop()


@pytest.mark.parametrize(
    ("given", "visitor"),
    [
        ("203.0.113.7, 198.51.100.1", "203.0.113.7"),
        ("1.1.1.1,203.0.113.8 ,198.51.100.1", "203.0.113.8"),
        ("2001:db8::7, 198.51.100.1", "2001:db8::7"),
        ("203.0.113.9", "127.0.0.1"),
        ("<script>, 198.51.100.1", "127.0.0.1"),
    ],
)
def test_the_visitors_address_is_what_the_outermost_trusted_proxy_gives(site, strict, given, visitor):
    strict.fetch("/own/address", X_Forwarded_For=given, X_Forwarded_Proto="https, http")
    headers = site.seen[-1][2]
    assert (headers["X-Forwarded-For"], headers["X-Forwarded-Proto"]) == (visitor, "https")


def test_without_a_trusted_proxy_an_address_that_a_visitor_gives_counts_for_nothing(site, edge):
    edge.fetch("/own/address", X_Forwarded_For="203.0.113.7", X_Forwarded_Proto="https")
    headers = site.seen[-1][2]
    assert (headers["X-Forwarded-For"], headers["X-Forwarded-Proto"]) == ("127.0.0.1", "http")


def test_too_many_requests_of_one_visitor_are_refused_and_no_others(strict):
    def status(address):
        return strict.fetch("/limited", X_Forwarded_For=f"{address}, 198.51.100.1").status

    assert [status("203.0.113.20") for _ in range(6)] == [200] * 6
    refused = strict.fetch("/limited", X_Forwarded_For="203.0.113.20, 198.51.100.1")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert b"Too many requests" in refused.body
    assert status("203.0.113.21") == 200
    assert [status(f"2001:db8:1:2::{number}") for number in range(8)][-1] == 429
    assert status("2001:db8:1:3::1") == 200
    assert strict.fetch("/healthz", X_Forwarded_For="203.0.113.20, 198.51.100.1").status == 200


def test_more_than_the_site_accepts_is_refused_with_its_own_page_or_problem(site, strict):
    page, problem = (strict.fetch(path, "POST", b"x" * 2000) for path in ("/preferences", "/api/v1/books"))
    assert (page.status, problem.status, site.seen) == (413, 413, [])
    assert b"That is too much at once" in page.body
    assert (json.loads(problem.body)["title"], problem.headers["Content-Type"]) == (
        "Request Entity Too Large",
        "application/problem+json",
    )


@pytest.mark.parametrize(
    ("request_line", "status", "title"),
    [
        (b"GET / HTTP/1.1\r\nHost: a b\r\n", 400, b"This request cannot be understood"),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n", 414, b"The address is too long"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n", 431, b"The headers are too long"),
    ],
)
def test_a_request_that_the_edge_cannot_read_gets_the_sites_page(edge, request_line, status, title):
    with connect(edge) as visitor:
        visitor.sendall(request_line + b"Connection: close\r\n\r\n")
        answer = received(visitor)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert title in answer
    assert b"default-src 'none'" in answer


def test_the_log_has_no_query_and_no_byte_that_drives_a_terminal(edge):
    path = b"/logged\x9b31m%1b[31m?q=secret"
    with connect(edge) as visitor:
        visitor.sendall(
            b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nReferer: \x1b]0;owned\x07\r\nConnection: close\r\n\r\n"
        )
        received(visitor)
    assert until(lambda: "/logged" in edge.log.read_text())
    text = edge.log.read_bytes()
    assert not {*text} & {*range(10), *range(11, 32), *range(127, 256)}
    assert b"secret" not in text
    assert "/logged" in [json.loads(line).get("path") for line in text.splitlines()]
