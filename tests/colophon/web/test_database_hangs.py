"""PostgreSQL hangs under the running site, with its sockets open: requests are answered, and it goes on at once."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count

import pytest

from tests.conftest import Server
from tests.waiting import until

pytestmark = pytest.mark.slow

PATIENCE = 20.0  # seconds; without a deadline of the site, no answer comes within a minute
PAGES = 24  # more than the site has threads


@pytest.fixture
def site(linux, own_postgres, tmp_path):
    site = Server(tmp_path, DATABASE_URL=own_postgres.create("colophon"))
    yield site
    if site.process.poll() is None:
        site.stop()


@pytest.fixture
def pages():
    """Return addresses of pages that no process of the site keeps, as they are new each time."""
    numbers = count()
    return lambda: [f"/books?q={next(numbers)}" for _ in range(PAGES)]


@pytest.fixture
def visit(site):
    """Send requests to the site all at once; what it returns are the statuses, and how long to wait with the next."""

    def ask(path):
        with closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            return response.status, response.headers["Retry-After"]

    with ThreadPoolExecutor(PAGES + 1) as visitors:
        yield lambda *paths: visitors.map(ask, paths)


def test_requests_are_answered_while_the_database_hangs_also_when_the_site_is_told_to_stop(
    own_postgres, site, visit, pages
):
    well, unavailable = [(200, None)], [(503, "5")]
    assert list(visit(*pages())) == well * PAGES
    with own_postgres.hanging():
        answers = visit(*pages(), "/readyz")  # some wait for the database, others for a thread
        assert list(visit("/healthz", "/about")) == well * 2
        assert list(answers) == unavailable * PAGES + [(503, None)]
        assert list(visit(*pages(), "/readyz")) == unavailable * PAGES + [(503, None)]
    assert until(lambda: list(visit("/readyz")) == well)
    assert until(lambda: list(visit(*pages())) == well * PAGES)
    with own_postgres.hanging():
        answers = visit(*pages())
        assert list(visit("/healthz")) == well
        assert site.stop() == 0
        assert list(answers) == unavailable * PAGES
    assert "the database answers again, after" in site.log.read_text()
