"""How answers travel, and what the site tells browsers to refuse."""

import gzip
import json

import pytest
from flask import request

from colophon.catalogue.reading import Catalogue
from colophon.database import revisions
from colophon.web import state, templating
from tests.conftest import any_database
from tests.databases import at_revision, statements_of
from tests.releases import COMMIT, released

pytestmark = any_database

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@pytest.mark.parametrize("path", ["/", "/books?page=x", "/nowhere", "/books/emma/cover.svg", "/feed.atom", "/healthz"])
def test_every_answer_tells_browsers_what_to_refuse(client, path):
    headers = client.get(path).headers
    assert {name: headers.get(name) for name in HEADERS} == HEADERS
    assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/books?page=x",
        "/nowhere",
        "/favicon.ico",
        "/books//emma",
        "/feed.atom",
        "/healthz",
        "/readyz",
        "/release.json",
        "/api/v1",
        "/api/v1/nowhere",
        "/static/nothing.css",
        templating.asset("site.css"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_every_answer_names_the_release_once(make_app, method, path):
    for release, name in ((None, "working-copy"), (released(), COMMIT)):
        response = make_app(release=release).test_client().open(path, method=method)
        assert response.headers.getlist("Colophon-Release") == [name]
        response.close()


@pytest.mark.parametrize("headers", [{"If-None-Match": "*"}, {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}])
def test_an_asset_that_is_not_sent_again_names_the_release_too(client, headers):
    response = client.get(templating.asset("site.css"), headers=headers)
    assert response.headers["Colophon-Release"] == "working-copy"
    response.close()


def test_an_error_nobody_foresaw_names_the_release(make_app, monkeypatch):
    monkeypatch.setattr(Catalogue, "totals", lambda _: 1 / 0)
    response = make_app(release=released()).test_client().get("/")
    assert (response.status_code, response.headers["Colophon-Release"]) == (500, COMMIT)


@pytest.mark.parametrize(("chosen", "more"), [({}, ""), ({"hsts_subdomains": True}, "; includeSubDomains")])
def test_a_site_on_https_stays_on_it_and_binds_the_hosts_below_it_only_where_that_is_set(make_app, chosen, more):
    headers = make_app(site_url="https://localhost", **chosen).test_client().get("/").headers
    assert headers["Strict-Transport-Security"] == f"max-age=31536000{more}"


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.2", "localhost:x", "", ".", "a..evil", "a" * 64]
)
@pytest.mark.parametrize("path", ["/books", "/api/v1/books"])
def test_a_host_name_that_is_not_the_site_s_is_refused(client, host, path):
    response = client.get(path, headers={"Host": host})
    assert response.status_code == 400
    assert "evil" not in response.text


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_the_site_s_own_host_names_are_answered(client, host):
    assert client.get("/books", headers={"Host": host}).status_code == 200


def test_health_is_told_to_whoever_asks_by_address(client):
    assert client.get("/healthz", headers={"Host": "10.0.3.7:8000"}).status_code == 200


def test_forwarded_headers_are_believed_only_when_told(make_app):
    seen = {}

    def address_of(app):
        @app.get("/address")
        def address():
            seen["address"] = request.remote_addr
            return ""

        app.test_client().get("/address", headers={"X-Forwarded-For": "192.0.2.1"})
        return seen["address"]

    assert address_of(make_app()) == "127.0.0.1"
    assert address_of(make_app(trusted_proxies=1)) == "192.0.2.1"


def test_a_forwarded_scheme_is_believed_only_when_told(make_app):
    def scheme(app):
        return app.test_client().get("/books//emma", headers={"X-Forwarded-Proto": "https"}).location.partition(":")[0]

    assert (scheme(make_app()), scheme(make_app(trusted_proxies=1))) == ("http", "https")


def test_a_forwarded_host_is_never_believed(make_app):
    client = make_app(trusted_proxies=1).test_client()
    assert client.get("/books", headers={"X-Forwarded-Host": "evil.example"}).status_code == 200


def test_pages_travel_compressed_to_those_who_can_read_that(client):
    plain, packed = client.get("/books"), client.get("/books", headers={"Accept-Encoding": "gzip, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 3
    assert {"Accept-Encoding", "Cookie"} <= set(packed.vary)
    assert plain.headers["ETag"] != packed.headers["ETag"]


def test_an_encoding_that_is_refused_is_not_used(client):
    assert "Content-Encoding" not in client.get("/books", headers={"Accept-Encoding": "gzip;q=0"}).headers


def test_a_page_that_has_not_changed_is_not_sent_again(client):
    tag = client.get("/books").headers["ETag"]
    response = client.get("/books", headers={"If-None-Match": tag})
    assert (response.status_code, response.data) == (304, b"")
    client.set_cookie("colour_mode", "dark")
    assert client.get("/books", headers={"If-None-Match": tag}).status_code == 200


def test_head_answers_as_get_does_without_the_page(client):
    got, requested = client.get("/books"), client.head("/books")
    assert requested.data == b""
    assert requested.headers["Content-Length"] == str(len(got.data))
    assert requested.headers["ETag"] == got.headers["ETag"]


def test_pages_are_kept_by_the_visitor_s_browser_only_and_asked_for_again(client):
    assert client.get("/books").headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("name", ["site.css", "site.js"])
def test_assets_are_kept_for_ever_and_travel_compressed(client, name):
    url = templating.asset(name)
    response = client.get(url, headers={"Accept-Encoding": "gzip, br"})
    assert response.status_code == 200
    assert "immutable" in response.headers["Cache-Control"]
    assert response.headers["Content-Encoding"] == "br"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    response.close()


def test_an_asset_that_is_not_there_has_the_error_page(page):
    page("/static/nothing.css", status=404)


def test_health_is_told_afresh(client):
    for path in ("/healthz", "/readyz"):
        response = client.get(path)
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"


def test_a_process_is_alive_without_its_database(make_app):
    app = make_app()
    with statements_of(state.of(app).engine) as statements:
        assert app.test_client().get("/healthz").status_code == 200
    assert not statements


def test_a_schema_of_another_release_is_not_ready(make_app, tmp_path):
    empty = tmp_path / "empty.db"
    empty.touch()
    response = make_app(database_url=f"sqlite:///{empty}").test_client().get("/readyz")
    assert response.status_code == 503
    assert json.loads(response.text)["reason"] == f"the schema is at revision none, not at {revisions.head()}"


def test_the_schema_of_the_next_release_is_as_good_as_its_own(make_app, own_url, engine):
    """While a release is replaced, its successor's migrations have run already, and it must go on serving."""
    site = make_app(database_url=own_url).test_client()
    for revision, status in ((revisions.head(), 200), ("9999", 200), ("0001", 503), ("beef", 503)):
        at_revision(engine, revision)
        assert site.get("/readyz").status_code == status


def test_a_database_that_is_out_of_reach_is_not_ready(make_app, tmp_path):
    missing = tmp_path / "no-such-folder" / "colophon.db"
    response = make_app(database_url=f"sqlite:///{missing}").test_client().get("/readyz")
    assert response.status_code == 503
    assert json.loads(response.text)["reason"] == "the database is unavailable"
