"""Memory that visitors can fill is bounded: what they choose is kept in caches of a size, and nowhere else."""

import gc
import tracemalloc
from urllib.parse import quote

import pytest
from werkzeug.test import create_environ, run_wsgi_app

from colophon.catalogue import reading
from colophon.catalogue.cache import LRUCache
from colophon.web import request_log, state
from tests.conftest import any_database

pytestmark = any_database


@pytest.fixture
def bounded_app(make_app, monkeypatch):
    """An app whose caches are soon full."""
    monkeypatch.setattr(state, "KEPT_SIZE", 50_000)
    monkeypatch.setattr(reading, "_cache", LRUCache(5_000))
    with request_log.unlogged():  # pytest keeps what is logged
        yield make_app()


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/books", "q=😀 {}&x={}"),
        ("/books/{}{}", ""),
        ("/books/emma/cover.svg", "{}{}"),
        ("/api/v1/books", "{}{}=1"),
        ("/{}{}", ""),
    ],
)
def test_requests_of_a_visitor_s_making_fill_no_more_than_the_caches(bounded_app, path, query):
    environ = create_environ(headers={"X-Request-Id": "1"})

    def visit(numbers):
        for number in numbers:
            sent = {
                "PATH_INFO": path.format(number, "x" * 7_000),
                "QUERY_STRING": quote(query.format(number, "x" * 7_000), safe="=&"),
                "HTTP_ACCEPT_ENCODING": f"gzip, {number}{'x' * 7_000}",
            }
            run_wsgi_app(bounded_app, environ | sent, buffered=True)
        gc.collect()

    visit(range(20))
    tracemalloc.start()
    try:
        visit(range(20, 40))
        before, _ = tracemalloc.get_traced_memory()
        visit(range(40, 80))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 100_000  # of 280,000 that are sent
