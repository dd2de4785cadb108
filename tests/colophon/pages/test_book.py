"""A book's own page, and its cover."""

import json
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from colophon.catalogue.types import CatalogueBook
from colophon.pages.views import _json_ld
from tests.pagecheck import attribute, text


def test_a_book_s_page_shows_the_book(page):
    soup = page("/books/moby-dick")
    assert text(soup.one("h1")).startswith("Moby-Dick")
    assert soup.select(".byline a[href='/books?author=herman-melville']")
    assert soup.select(".facts a[href^='/books?subject=']")
    assert attribute(soup.one("img.cover"), "src") == "/books/moby-dick/cover.svg"


def test_other_books_by_the_author_stand_beside_it(page):
    neighbours = [attribute(link, "href") for link in page("/books/emma").select(".shelf a")]
    assert "/books/pride-and-prejudice" in neighbours
    assert "/books/emma" not in neighbours


def test_an_unknown_book_is_not_found(page):
    soup = page("/books/no-such-book", status=404)
    assert "no book at this address" in text(soup.one(".lead"))


@pytest.mark.parametrize("path", ["/books/%00", "/books/%00/cover.svg"])
def test_an_address_that_no_book_can_have_is_not_found(client, path):
    assert client.get(path).status_code == 404


def test_machines_read_the_book_as_schema_org_describes_it(page):
    described = json.loads(page("/books/pride-and-prejudice").one("script[type='application/ld+json']").string)
    assert described["@type"] == "Book"
    assert described["name"] == "Pride and Prejudice"
    assert described["author"] == [{"@type": "Person", "name": "Jane Austen"}]
    assert described["datePublished"] == "1813"
    assert described["url"] == "http://localhost/books/pride-and-prejudice"


def test_a_year_before_the_common_era_is_printed_and_described(page):
    soup = page("/books/iliad")
    assert "c. 750 BCE" in text(soup.one(".byline"))
    # ISO 8601 counts a year 0, so that 750 BCE is -0749.
    assert json.loads(soup.one("script[type='application/ld+json']").string)["datePublished"] == "-0749"


def test_pages_can_be_shared(page):
    soup = page("/books/emma")
    properties = {attribute(meta, "property"): attribute(meta, "content") for meta in soup.select("meta[property]")}
    assert properties["og:title"] == "Emma"
    assert properties["og:type"] == "book"
    assert properties["og:url"] == "http://localhost/books/emma"
    assert properties["og:image"].startswith("http://localhost/static/")


def test_what_a_title_holds_cannot_end_the_script_that_describes_it(app):
    book = CatalogueBook(
        id=1,
        slug="x",
        title="</script><script>alert(1)",
        authors=[],
        year=1900,
        language="en",
        subjects=[],
        description="",
        added_at=datetime.now(UTC),
    )
    with app.test_request_context():
        written = _json_ld(book)
    assert "<" not in written
    assert json.loads(written)["name"] == "</script><script>alert(1)"


def test_a_cover_is_drawn_the_same_each_time_and_kept_by_browsers(client):
    first, second = (client.get("/books/moby-dick/cover.svg") for _ in range(2))
    assert first.data == second.data
    assert first.mimetype == "image/svg+xml"
    assert first.headers["Cache-Control"] == "public, max-age=86400"
    unchanged = client.get("/books/moby-dick/cover.svg", headers={"If-None-Match": first.headers["ETag"]})
    assert (unchanged.status_code, unchanged.data) == (304, b"")


def test_there_is_no_cover_of_an_unknown_book(client):
    assert client.get("/books/no-such-book/cover.svg").status_code == 404


@pytest.mark.parametrize("slug", ["moby-dick", "emma"])
def test_a_cover_is_well_formed_and_says_what_it_is(client, slug):
    root = ElementTree.fromstring(client.get(f"/books/{slug}/cover.svg").text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.findtext("{http://www.w3.org/2000/svg}title")
