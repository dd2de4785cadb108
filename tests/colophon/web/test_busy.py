"""A client that keeps the server busy, by slow pages or by bad manners, does not keep the load balancer waiting."""

import http.client

import pytest

from tests.colophon.web.slowpages import SLOW, SlowPages, answer, visit
from tests.conftest import Server

pytestmark = pytest.mark.slow

HEALTH = ("/healthz", "/readyz")
PAGE = b"GET /about HTTP/1.1\r\nHost: localhost\r\n\r\n"
ALIVE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def slow_pages():
    with SlowPages() as pages:
        yield pages


@pytest.fixture
def serve(tmp_path, slow_pages):
    """Start a server with so many workers, and so many threads and connections to the database for each."""
    started = []

    def start(workers, threads, connections):
        sizes = {"WEB_CONCURRENCY": workers, "WEB_THREADS": threads, "DATABASE_POOL_SIZE": connections}
        environment = {name: str(size) for name, size in sizes.items()} | slow_pages.environment
        started.append(Server(tmp_path, **environment))
        return started[-1]

    yield start
    slow_pages.let_go()
    for server in started:
        server.stop()


def status(site, path):
    # A load balancer gives up after 5 seconds, unless it is told otherwise.
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except TimeoutError:
        return None
    finally:
        connection.close()


def test_health_is_told_while_every_thread_works_on_a_slow_page(serve, slow_pages):
    site = serve(workers=2, threads=2, connections=3)
    slow_pages.hold(site, threads=4)
    # Each may come to either worker.
    assert [status(site, path) for path in HEALTH * 8] == [200] * 16


def test_a_page_asked_for_on_a_connection_that_asked_for_health_has_no_lane(serve, slow_pages):
    site = serve(workers=1, threads=1, connections=2)
    slow_pages.hold(site, threads=1)
    visitor = visit(site, ALIVE)
    assert answer(visitor) == b"ok\n"
    visitor.sendall(SLOW)
    assert [status(site, path) for path in HEALTH * 3] == [200] * 6
    slow_pages.let_go()
    assert answer(visitor)
    visitor.close()


def test_a_page_asked_for_in_one_go_with_health_has_no_lane(serve, slow_pages):
    site = serve(workers=1, threads=1, connections=3)
    slow_pages.hold(site, threads=1)
    visitor = visit(site, ALIVE + SLOW)
    assert visitor.recv(12) == b"HTTP/1.1 200"
    assert [status(site, path) for path in HEALTH * 3] == [200] * 6
    visitor.close()


def test_health_is_told_on_a_connection_that_asked_for_a_page_before(serve, slow_pages):
    site = serve(workers=1, threads=1, connections=2)
    visitor = visit(site, PAGE)
    assert answer(visitor)
    slow_pages.hold(site, threads=1)
    visitor.sendall(ALIVE)
    assert answer(visitor) == b"ok\n"
    visitor.close()


def test_a_database_out_of_reach_does_not_keep_the_question_whether_the_process_is_alive_waiting(serve, slow_pages):
    site = serve(workers=1, threads=1, connections=1)
    slow_pages.hold(site, threads=1)
    waiting = [visit(site, ALIVE.replace(b"healthz", b"readyz")) for _ in range(4)]
    assert status(site, "/healthz") == 200
    for visitor in waiting:
        visitor.close()
