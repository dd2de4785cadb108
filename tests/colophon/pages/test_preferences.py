"""Light, dark or automatic: chosen by the visitor, kept in a cookie, rendered by the server."""

import io

import pytest

from tests.conftest import any_database
from tests.pagecheck import attribute

pytestmark = any_database


def choose(client, mode="dark", back="/books?q=war", **headers):
    return client.post("/preferences", data={"colour_mode": mode, "next": back}, headers=headers)


def test_without_a_choice_the_visitor_s_device_decides(page):
    assert attribute(page("/").one("html"), "data-bs-theme") == "auto"


def test_a_choice_is_kept_and_rendered_by_the_server(client, page):
    response = choose(client)
    assert (response.status_code, response.location) == (303, "/books?q=war")
    soup = page("/")
    assert attribute(soup.one("html"), "data-bs-theme") == "dark"
    assert attribute(soup.one(".modes [aria-pressed=true]"), "value") == "dark"


def test_automatic_forgets_the_choice(client, page):
    choose(client)
    choose(client, "auto")
    assert client.get_cookie("colour_mode") is None


def test_the_cookie_is_for_this_site_s_server_only(client):
    assert choose(client).headers["Set-Cookie"].split("; ", 2)[0] == "colour_mode=dark"
    assert set(choose(client).headers["Set-Cookie"].split("; ")) >= {"HttpOnly", "SameSite=Lax", "Path=/"}


def test_the_cookie_is_secure_where_the_site_is(make_app):
    client = make_app(site_url="https://localhost").test_client()
    assert "Secure" in choose(client).headers["Set-Cookie"].split("; ")


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example/", "/\\evil.example", "books", "/\r\nX: y", ""]
)
def test_the_way_back_stays_on_this_site(client, back):
    assert choose(client, back=back).location == "/"


def test_a_cookie_that_was_tampered_with_is_ignored(client, page):
    client.set_cookie("colour_mode", '"><script>')
    assert attribute(page("/").one("html"), "data-bs-theme") == "auto"


def test_an_unknown_mode_is_refused(client):
    response = choose(client, "sepia")
    assert response.status_code == 400
    assert "<code>colour_mode</code>" in response.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_another_site_s_form_is_refused(client, headers):
    response = choose(client, **headers)
    assert response.status_code == 403
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}])
def test_this_site_s_form_is_taken(client, headers):
    assert choose(client, **headers).status_code == 303


@pytest.mark.parametrize("field", ["next", "file"])
def test_a_form_that_is_far_larger_than_this_one_is_refused_unread(client, field):
    large = "/" + "a" * 70_000
    value = large if field == "next" else (io.BytesIO(large.encode()), "a.txt")
    assert client.post("/preferences", data={"colour_mode": "dark", field: value}).status_code == 413
