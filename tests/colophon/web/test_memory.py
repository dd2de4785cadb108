"""Memory that visitors can fill is bounded: what they choose is kept in caches of a size, and nowhere else."""

import gc
import logging
import tracemalloc
from urllib.parse import quote

import pytest
from werkzeug.test import create_environ, run_wsgi_app

from colophon.catalogue import reading
from colophon.catalogue.cache import LRUCache
from colophon.web import state
from tests.conftest import any_database

pytestmark = any_database


@pytest.fixture
def bounded_app(make_app, monkeypatch):
    """An app whose caches are soon full."""
    monkeypatch.setattr(state, "KEPT_SIZE", 100_000)
    monkeypatch.setattr(reading, "_cache", LRUCache(5_000))
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)  # pytest keeps what is logged
    return make_app()


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
def test_addresses_of_a_visitor_s_making_fill_no_more_than_the_caches(bounded_app, path, query):
    environ = create_environ(headers={"Accept-Encoding": "gzip", "X-Request-Id": "1"})

    def visit(numbers):
        for number in numbers:
            address = {
                "PATH_INFO": path.format(number, "x" * 7_000),
                "QUERY_STRING": quote(query.format(number, "x" * 7_000), safe="=&"),
            }
            run_wsgi_app(bounded_app, environ | address, buffered=True)
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
    assert after - before < 40_000
