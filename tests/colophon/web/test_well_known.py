"""What programs look for on a site."""

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from tests.pagecheck import attribute

ATOM = "{http://www.w3.org/2005/Atom}"
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


def test_the_feed_lists_the_latest_additions(client):
    response = client.get("/feed.atom")
    assert response.mimetype == "application/atom+xml"
    feed = ElementTree.fromstring(response.text)
    entries = feed.findall(f"{ATOM}entry")
    assert len(entries) == 20
    assert datetime.fromisoformat(feed.findtext(f"{ATOM}updated")).tzinfo
    for entry in entries:
        assert entry.findtext(f"{ATOM}id").startswith("http://localhost/books/")
        assert entry.findtext(f"{ATOM}title")
        assert entry.find(f"{ATOM}author") is not None


def test_the_sitemaps_hold_every_page_and_book_once(client, catalogue):
    index = ElementTree.fromstring(client.get("/sitemap.xml").text)
    files = [element.text for element in index.iter(f"{SITEMAP}loc")]
    addresses = [
        element.text
        for file in files
        for element in ElementTree.fromstring(client.get(file.removeprefix("http://localhost")).text).iter(
            f"{SITEMAP}loc"
        )
    ]
    assert len(addresses) == len(set(addresses)) == catalogue.totals().books + 7
    assert {"http://localhost/", "http://localhost/books/emma"} <= set(addresses)


@pytest.mark.parametrize("number", [0, 2, 99999999999999999999])
def test_there_is_no_sitemap_past_the_last(client, number):
    assert client.get(f"/sitemap-books-{number}.xml").status_code == 404


def test_robots_are_led_to_the_sitemap(client):
    assert "Sitemap: http://localhost/sitemap.xml" in client.get("/robots.txt").text.splitlines()


def test_browsers_can_search_the_site_from_their_address_bar(client, page):
    link = page("/").one("link[rel=search]")
    response = client.get(attribute(link, "href"))
    assert response.mimetype == "application/opensearchdescription+xml"
    template = ElementTree.fromstring(response.text).find("{*}Url").get("template")
    assert client.get(template.removeprefix("http://localhost").replace("{searchTerms}", "war")).status_code == 200


def test_security_txt_has_what_rfc_9116_requires(client):
    assert client.get("/.well-known/security.txt").text.endswith("\n")
    fields = dict(line.split(": ", 1) for line in client.get("/.well-known/security.txt").text.splitlines())
    assert fields["Contact"] == "http://localhost/about#security"
    expires = datetime.fromisoformat(fields["Expires"])
    assert 0 < (expires - datetime.now(UTC)).days < 366


def test_security_txt_names_the_contact_that_was_set(make_app):
    client = make_app(security_contact="https://example.org/report").test_client()
    assert "Contact: https://example.org/report\n" in client.get("/.well-known/security.txt").text
    assert 'href="https://example.org/report"' in client.get("/about").text


def test_the_feed_begins_with_the_latest_addition(client, catalogue):
    feed = ElementTree.fromstring(client.get("/feed.atom").text)
    assert [entry.findtext(f"{ATOM}title") for entry in feed.findall(f"{ATOM}entry")] == [
        book.title for book in catalogue.newest(20)
    ]


def test_the_icon_is_found_where_browsers_guess_it(client):
    response = client.get("/favicon.ico", follow_redirects=True)
    assert (response.status_code, response.mimetype) == (200, "image/svg+xml")
    response.close()
