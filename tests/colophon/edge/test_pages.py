"""The tests of pages, once more: through the edge, before a site of its own that has the built-in books."""

from __future__ import annotations

import http.client
import inspect
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from werkzeug.test import Client
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response

from tests.colophon.edge.stand_in import Edge
from tests.colophon.pages import test_book, test_books, test_colophon, test_covers, test_other_pages, test_preferences
from tests.colophon.web import test_errors, test_responses, test_well_known
from tests.conftest import Server
from tests.waiting import LONGEST

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

MODULES = (
    test_book,
    test_books,
    test_colophon,
    test_covers,
    test_other_pages,
    test_preferences,
    test_errors,
    test_responses,
    test_well_known,
)
OF_A_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "server", "date"})


# nginx itself refuses %00 in a path.
OTHERWISE = frozenset({"test_an_address_that_no_book_can_have_is_not_found"})


def of_any_client(module: ModuleType) -> dict[str, object]:
    """Return the tests of a module that need nothing but a client, or pages that it fetches."""
    tests = {name: value for name, value in vars(module).items() if name.startswith("test_") and name not in OTHERWISE}
    return {name: test for name, test in tests.items() if fixtures(test) and fixtures(test) <= {"client", "page"}}


def fixtures(test: Callable[..., None]) -> set[str]:
    """Return the parameters of a test that are not its own list's."""
    lists = [mark.args[0] for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    own = {name for names in lists for name in ([names] if isinstance(names, str) else names)}
    return set(inspect.signature(test).parameters) - own


for module in MODULES:
    globals().update(of_any_client(module))


@pytest.fixture(scope="module")
def library(sqlite):
    """The built-in books. The site's database is the same for all, so PostgreSQL's adds nothing here."""
    return sqlite.full


@pytest.fixture(scope="module")
def edge(nginx, library, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    site = Server(folder, DATABASE_URL=library, SITE_URL="http://localhost", TRUSTED_PROXIES="1")
    edge = Edge(folder, site.port).wait()
    yield edge
    edge.stop()
    site.stop()


@pytest.fixture
def client(edge):
    """A client like Flask's, whose requests go through the edge."""

    def through(environ, start_response):
        headers = {
            name.removeprefix("HTTP_").replace("_", "-"): value
            for name, value in environ.items()
            if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
        }
        with closing(http.client.HTTPConnection("127.0.0.1", edge.port, timeout=LONGEST)) as connection:
            address = iri_to_uri(environ["REQUEST_URI"].encode("latin-1").decode())
            connection.request(environ["REQUEST_METHOD"], address, environ["wsgi.input"].read(), headers)
            response = connection.getresponse()
            kept = [(name, value) for name, value in response.getheaders() if name.lower() not in OF_A_CONNECTION]
            start_response(f"{response.status} {response.reason}", kept)
            return [response.read()]

    return Client(through, Response)
