"""What programs may read without asking anybody."""

import re

import pytest

from colophon.catalogue.reading import Catalogue
from tests.pagecheck import attribute


def links_of(response):
    links = re.findall(r'<([^>]*)>; rel="(\w+)"', ", ".join(response.headers.getlist("Link")))
    return {relation: target for target, relation in links}


def pages_of(program, page):
    """Yield a page of a list and all that it leads on to."""
    yield page
    while target := links_of(page).get("next"):
        page = program.get(target.removeprefix("http://localhost/api/v1"))
        yield page


def test_a_book_is_shown_as_it_was_written_and_with_its_links(make_program, filled):
    book = make_program(None).get("/books/book-07").json
    assert book["title"] == "Book 07"
    assert book["authors"] == [{"name": "Ann Author", "sort": "Author, Ann", "original_name": None}]
    assert book["links"]["html"] == "http://localhost/books/book-07"


@pytest.mark.parametrize(
    "spelling",
    [
        "9780306406157",
        "978-0-306-40615-7",
        "0306406152",
        "0-306-40615-2",
        "978 0306406157",
        "ISBN 978-0306406157",
        "urn:isbn:0306406152",
    ],
)
def test_a_book_is_found_by_its_isbn_in_any_usual_spelling(program, spelling):
    program.add(isbn13="9780306406157")
    assert program.get(f"/books/{spelling}").json["slug"] == "the-compleat-angler"


def test_a_book_that_is_not_there_is_a_problem(program):
    response = program.get("/books/nowhere")
    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"
    assert response.json["detail"] == "There is no book ‘nowhere’ in the catalogue."


def test_a_list_leads_from_page_to_page_and_keeps_the_filters(make_program, filled):
    program = make_program(None)
    first = program.get("/books?language=en&limit=5&sort=-year")
    assert (first.json["total"], first.json["pages"], first.json["limit"]) == (22, 5, 5)
    links = links_of(first)
    assert links["first"] == "http://localhost/api/v1/books?language=en&sort=-year&limit=5"
    assert links["next"] == "http://localhost/api/v1/books?language=en&sort=-year&page=2&limit=5"
    assert links["last"].endswith("page=5&limit=5")
    assert "prev" not in links
    titles = [book["title"] for page in pages_of(program, first) for book in page.json["books"]]
    assert titles == [f"Book {number:02}" for number in range(43, 0, -2)]


def test_the_list_finds_what_the_visitors_list_finds(client, catalogue):
    for query in (
        "q=war",
        "subject=poetry&sort=year",
        "author=jane-austen",
        "language=ja&year_from=1900",
        "q=sea&page=2",
    ):
        shown = re.findall(r'<h2><a href="/books/([^"]+)"', client.get(f"/books?{query}").text)
        assert [book["slug"] for book in client.get(f"/api/v1/books?{query}").json["books"]] == shown


def test_a_walk_goes_on_after_a_book_that_was_taken_out_while_it_was_read(program, filled, monkeypatch):
    read = Catalogue.details
    monkeypatch.setattr(Catalogue, "details", lambda self, ids: [book for book in read(self, ids) if book.id != ids[3]])
    page = program.get("/books?after=0&limit=10")
    assert len(page.json["books"]) == 9
    assert links_of(page)["next"].endswith("after=10&limit=10")


def test_a_book_that_is_added_while_somebody_walks_is_met_at_the_end(program):
    program.add(title="First")
    first = program.get("/books?after=0&limit=1")
    program("DELETE", "/books/first", headers={"If-Match": "*"})
    program.add(title="Second")
    rest = program.get(links_of(first)["next"].removeprefix("http://localhost/api/v1"))
    assert [book["title"] for book in rest.json["books"]] == ["Second"]


def test_a_walk_meets_every_book_exactly_once_while_others_write(program, filled):
    met = []
    page = program.get("/books?after=0&limit=10")
    while True:
        met += [book["slug"] for book in page.json["books"]]
        program("DELETE", f"/books/{met[-1]}", headers={"If-Match": "*"})
        program.add(title=f"New {len(met)}")
        if "next" not in links_of(page):
            break
        page = program.get(links_of(page)["next"].removeprefix("http://localhost/api/v1"))
    assert len(met) == len(set(met))
    assert {f"book-{number:02}" for number in range(45)} <= set(met)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("limit=1_0", "limit"),
        ("after=%2B5", "after"),
        ("nonsense=1", "nonsense"),
        ("after=0&page=2", "page"),
        ("after=0&sort=title", "sort"),
        ("after=-1", "after"),
        ("subject=nope", "subject"),
        ("page=0", "page"),
    ],
)
def test_a_parameter_that_is_wrong_or_unknown_is_refused_by_name(program, query, parameter):
    response = program.get(f"/books?{query}")
    assert response.status_code == 400
    assert [error["field"] for error in response.json["errors"]] == [parameter]


def test_a_page_past_the_end_is_a_problem(program):
    response = program.get("/books?page=2")
    assert (response.status_code, response.mimetype) == (404, "application/problem+json")


def test_what_has_not_changed_is_not_sent_again(program, filled):
    for path in ("/books/book-01", "/books", "/authors", "/subjects", "", "/openapi.json"):
        tag = program.get(path).headers["ETag"]
        assert program.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_authors_and_subjects_say_how_many_books_they_have(make_program, filled):
    program = make_program(None)
    (author,) = program.get("/authors").json["authors"]
    assert (author["name"], author["sort"], author["books"]) == ("Ann Author", "Author, Ann", 45)
    assert program.get("/authors/ann-author").json == author
    assert program.get("/subjects").json["total"] == 2
    assert program.get("/subjects/poetry").json["books"] == 15
    assert {program.get(f"/{kind}/nowhere").status_code for kind in ("authors", "subjects")} == {404}


def test_the_root_leads_to_everything(make_program, filled):
    program = make_program(None)
    root = program.get("").json
    assert root["totals"]["books"] == 45
    for name, target in root["links"].items():
        path = target.removeprefix("http://localhost")
        assert program._client.get(path).status_code == 200, name


def test_head_and_options_are_answered(program, filled):
    head = program("HEAD", "/books/book-01")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == program.get("/books/book-01").headers["ETag"]
    options = program("OPTIONS", "/books/book-01")
    assert set(options.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"}


def test_a_method_that_is_not_allowed_names_those_that_are(program):
    response = program("DELETE", "/books")
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
    assert response.mimetype == "application/problem+json"


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/*", "text/html, */*;q=0.1"])
def test_whoever_accepts_json_is_answered(program, accept):
    assert program.get("", headers={"Accept": accept}).status_code == 200


def test_whoever_accepts_no_json_is_told(program):
    assert program.get("", headers={"Accept": "text/csv"}).status_code == 406


@pytest.mark.parametrize(
    "path",
    ["/", "/books?q=war&page=1", "/books/emma", "/authors?letter=a", "/subjects", "/colophon", "/about", "/api/docs"],
)
def test_every_page_for_visitors_has_a_twin_for_programs(page, client, path):
    twin = attribute(page(path).one("link[rel=alternate][type='application/json']"), "href")
    response = client.get(twin.removeprefix("http://localhost"))
    assert (response.status_code, response.mimetype) == (200, "application/json")
