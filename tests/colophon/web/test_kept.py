"""Which responses are kept, for how long, and that a kept one is as Flask's own."""

import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from colophon.web import kept, state
from tests.conftest import any_database
from tests.releases import released

ROUTES = Path(__file__).parents[1] / "routes.txt"
KEPT = [
    *("/", "/about", "/api/docs", "/authors", "/books", "/books/<slug>", "/books/<slug>/cover.svg", "/colophon"),
    *("/feed.atom", "/opensearch.xml", "/robots.txt", "/sitemap-books-<int:number>.xml", "/sitemap-pages.xml"),
    *("/sitemap.xml", "/subjects"),
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
