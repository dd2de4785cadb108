"""Which responses are kept, for how long, and that a kept one is as Flask's own."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app
from werkzeug.wrappers import response as werkzeug_response

from colophon.access import tokens
from colophon.database import transaction
from colophon.web import kept, state
from colophon.web.templating import asset
from tests.colophon.api.apiclient import ANGLER
from tests.conftest import any_database
from tests.databases import statements_of
from tests.releases import released

ROUTES = Path(__file__).parents[1] / "routes.txt"
KEPT = [
    "/",
    "/about",
    "/api/docs",
    "/authors",
    "/books",
    "/books/<slug>",
    "/books/<slug>/cover.svg",
    "/colophon",
    "/feed.atom",
    "/opensearch.xml",
    "/robots.txt",
    "/sitemap-books-<int:number>.xml",
    "/sitemap-pages.xml",
    "/sitemap.xml",
    "/subjects",
]
API = ["/", "/authors", "/authors/<slug>", "/books", "/books/<name>", "/openapi.json", "/subjects", "/subjects/<slug>"]
NOT_KEPT = {
    "/.well-known/security.txt": "has a date that moves each day",
    "/favicon.ico": "is a redirect",
    "/healthz": "tells of this moment",
    "/readyz": "tells of this moment, and which state it is in",
    "/release.json": "tells which release runs at this moment",
} | {f"/api/v1{path}".rstrip("/"): "is for programs, which read what they have just written" for path in API}
# Of all that a request may have, none of which may change a kept response.
OTHER_HEADERS = {
    "Accept": "application/json",
    "Accept-Language": "de",
    "Forwarded": "for=192.0.2.1;host=other.example;proto=https",
    "If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT",
    "Origin": "https://other.example",
    "Range": "bytes=0-9",
    "Referer": "https://other.example/",
    "Sec-Fetch-Site": "cross-site",
    "User-Agent": "another",
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Host": "other.example",
    "X-Forwarded-Proto": "https",
    "X-Requested-With": "XMLHttpRequest",
}


def example(route):
    slug = "jane-austen" if "authors" in route else "novel" if "subjects" in route else "emma"
    return route.replace("<int:number>", "1").replace("<slug>", slug).replace("<name>", slug)


@pytest.fixture
def make_client(make_app, monkeypatch):
    """Make a client of an app that keeps nothing in memory: it renders each response anew."""
    monkeypatch.setattr(state, "KEPT_SIZE", 0)
    return lambda **changed: make_app(**changed).test_client()


@any_database
def test_each_route_is_kept_or_not_and_the_reason_is_known(client):
    routes = [route.removesuffix(" GET") for route in ROUTES.read_text().splitlines() if route.endswith(" GET")]
    assert sorted([*KEPT, *NOT_KEPT]) == routes
    named = {route for route in routes if kept.HEADER in client.get(example(route)).headers}
    assert named == {*KEPT, "/readyz"}


@any_database
@pytest.mark.parametrize("route", KEPT)
def test_what_is_kept_depends_on_no_other_header_and_not_on_the_day(make_client, monkeypatch, route):
    client = make_client(trusted_proxies=1)
    plain = client.get(example(route))
    assert set(plain.vary) <= {"Accept-Encoding", "Cookie"}
    for name, value in OTHER_HEADERS.items():
        other = client.get(example(route), headers={name: value})
        assert (name, other.data, other.headers[kept.HEADER]) == (name, plain.data, plain.headers[kept.HEADER])

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz) + timedelta(days=400)

    for name, module in sys.modules.items():
        if name.startswith("colophon.") and hasattr(module, "datetime"):
            monkeypatch.setattr(module, "datetime", Later)
    assert client.get(example(route)).data == plain.data


@any_database
@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/books", {"headers": {"Authorization": "Bearer fake"}}),
        ("/books", {"headers": {"Cookie": "session=1"}}),
        ("/books", {"headers": {"Cookie": "colour_mode=dark; session=1"}}),
        ("/books", {"headers": {"Cookie": "colour_mode=sepia"}}),
        ("/books", {"headers": {"If-Match": '"another"'}}),
        ("/books", {"headers": {"Transfer-Encoding": "chunked"}}),
        ("/books?page=x", {}),
        ("/books//emma", {}),
        ("/nowhere", {}),
        ("/books", {"method": "POST"}),
        ("/books", {"method": "OPTIONS"}),
    ],
)
def test_what_depends_on_more_is_not_kept(make_app, path, options):
    client = make_app().test_client(use_cookies=False)
    assert kept.HEADER in client.get("/books").headers
    assert kept.HEADER not in client.open(path, **options).headers


@any_database
def test_a_page_that_is_not_sent_again_names_its_state_too(client):
    page = client.get("/books")
    again = client.get("/books", headers={"If-None-Match": page.headers["ETag"]})
    assert (again.status_code, again.headers[kept.HEADER]) == (304, page.headers[kept.HEADER])


@any_database
def test_the_name_is_of_the_release_its_settings_and_the_catalogue(make_app, empty_library):
    apps = [make_app(), make_app(), make_app(release=released()), make_app(hsts_subdomains=True)]
    apps.append(make_app(database_url=empty_library))
    names = [app.test_client().get("/readyz").headers[kept.HEADER] for app in apps]
    assert names[0] == names[1]
    assert len(set(names)) == len(names) - 1
    assert names == [app.test_client().get("/about").headers[kept.HEADER] for app in apps]


def answer(app, path, method, **headers):
    """Return all that an app hands to the server: the status, each header and the body."""
    environ = EnvironBuilder(path, method=method, headers={"Host": "localhost", "X-Request-Id": "1"}).get_environ()
    environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items() if value is not None}
    body, status, sent = run_wsgi_app(app, environ, buffered=True)
    return status, sorted(sent), b"".join(body)


@any_database
@pytest.mark.parametrize("path", ["/about", "/books/emma/cover.svg", "/robots.txt"])
def test_a_kept_response_is_flask_s_own_byte_for_byte(make_app, monkeypatch, path):
    monkeypatch.setattr(kept, "http_date", lambda: "now")
    monkeypatch.setattr(werkzeug_response, "http_date", lambda: "now")
    keeping = make_app()
    monkeypatch.setattr(state, "KEPT_SIZE", 0)
    anew = make_app()
    tag = anew.test_client().get(path).headers["ETag"]
    tags = [None, tag, f"W/{tag}", f'"another", {tag[:-1]}-gzip"', "*", "x"]
    rendered = []
    keeping.before_request(lambda: rendered.append(1))
    variants = product([None, "gzip, br", "gzip;q=0", "*"], [None, "colour_mode=dark", "colour_mode=auto"])
    for encoding, cookie in variants:
        for method, none_match in product(["GET", "HEAD"], tags):
            request = (path, method), {"accept_encoding": encoding, "cookie": cookie, "if_none_match": none_match}
            answers = [answer(app, *request[0], **request[1]) for app in (keeping, keeping, anew)]
            assert answers[0] == answers[1] == answers[2], request
    assert len(rendered) == 4, "two encodings in two colour modes"


def test_a_page_shows_what_was_written_half_a_second_ago_and_comes_from_memory_until_then(
    make_app, own_url, engine, monkeypatch
):
    now = 0.0
    monkeypatch.setattr(kept, "clock", lambda: now)
    app = make_app(database_url=own_url)
    client = app.test_client()
    with transaction(engine) as db:
        writer = {"Authorization": f"Bearer {tokens.create(db, 'a test', 'write', timedelta(days=1))}"}

    def shows(title):
        """Return True if the list has a book, and how many statements that took."""
        with statements_of(state.of(app).engine) as statements:
            page = client.get("/books")
        return title in page.text, len(statements)

    for title in ("The First", "The Second"):
        assert not shows(title)[0]
        assert client.post("/api/v1/books", json=ANGLER | {"title": title}, headers=writer).status_code == 201
        name = client.get("/readyz").headers[kept.HEADER]
        assert client.get("/about").headers[kept.HEADER] != name, "what is remembered is not read again yet"
        assert shows(title) == (False, 0)
        now += 0.5
        assert shows(title)[0]
        assert client.get("/about").headers[kept.HEADER] == name
        assert shows(title) == (True, 0)


@any_database
def test_one_request_renews_the_state_while_others_go_on_for_half_a_second_at_most(make_app, monkeypatch):
    now = 0.0
    monkeypatch.setattr(kept, "clock", lambda: now)
    app = make_app()
    renewing, renewed = threading.Event(), threading.Event()
    read = kept.state_name

    def slowly(*arguments):
        renewing.set()
        assert renewed.wait(60)
        return read(*arguments)

    page = app.test_client().get("/about")
    now = kept.REMEMBERED
    monkeypatch.setattr(kept, "state_name", slowly)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: app.test_client().get("/about"))
        assert renewing.wait(60)
        assert app.test_client().get("/about").headers[kept.HEADER] == page.headers[kept.HEADER]
        now += 0.1
        assert kept.HEADER not in app.test_client().get("/about").headers
        renewed.set()
        assert first.result().headers[kept.HEADER] == page.headers[kept.HEADER]


@any_database
@pytest.mark.parametrize("path", ["/healthz", "/release.json", asset("site.css"), "/static/nothing.css"])
def test_what_needs_no_database_does_not_wait_for_the_name_of_its_state(app, client, monkeypatch, path):
    monkeypatch.setattr(kept, "RENEWED", -1)
    with statements_of(state.of(app).engine) as statements:
        client.get(path).close()
        client.get("/about")
    assert len(statements) == 1, "that of /about"


@any_database
def test_a_page_that_needs_no_database_is_shown_without_one_and_not_kept(make_app, tmp_path):
    client = make_app(database_url=f"sqlite:///{tmp_path}/nowhere/colophon.db").test_client()
    for path, status in (("/about", 200), ("/books", 503)):
        response = client.get(path)
        assert (response.status_code, kept.HEADER in response.headers) == (status, False)
