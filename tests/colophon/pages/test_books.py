"""The list of books: search, filters, sort and pages in one shareable URL."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colophon.catalogue.list_query import PER_PAGE, SORTS
from tests.pagecheck import attribute, text


def titles(soup):
    return soup.texts(".rows h2")


def test_the_list_shows_a_page_of_books_and_leads_to_the_next(page):
    soup = page("/books")
    assert len(titles(soup)) == PER_PAGE
    assert attribute(soup.one("link[rel=next]"), "href") == "http://localhost/books?page=2"
    assert not soup.select("link[rel=prev]")
    assert attribute(soup.one("link[rel=canonical]"), "href") == "http://localhost/books"


def test_a_middle_page_leads_both_ways(page):
    soup = page("/books?page=2&sort=year")
    assert attribute(soup.one("link[rel=prev]"), "href") == "http://localhost/books?sort=year"
    assert attribute(soup.one("link[rel=next]"), "href") == "http://localhost/books?sort=year&page=3"
    assert text(soup.one("nav[aria-label=Pages] [aria-current=page]")) == "Page 2"


def test_the_last_page_leads_back_only(page, catalogue):
    last = -(-catalogue.totals().books // PER_PAGE)
    soup = page(f"/books?page={last}")
    assert not soup.select("link[rel=next]")


def test_parameters_that_are_empty_or_default_are_left_out_of_the_canonical_url(page):
    soup = page("/books?q=&author=&subject=poetry&sort=title&page=1&utm_source=elsewhere")
    assert attribute(soup.one("link[rel=canonical]"), "href") == "http://localhost/books?subject=poetry"


@pytest.mark.parametrize(
    ("requested", "found"),
    [
        ("moby", "Moby-Dick"),
        ("MOBY DICK", "Moby-Dick"),
        ("melville whale", "Moby-Dick"),
        ("garcia marquez", "One Hundred Years of Solitude"),
        ("García Márquez", "One Hundred Years of Solitude"),
        ("cien anos", "One Hundred Years of Solitude"),
        ("толстой", "War and Peace"),
        ("solitu", "One Hundred Years of Solitude"),
    ],
)
def test_search_finds_words_and_their_beginnings_without_regard_to_case_and_accents(page, requested, found):
    assert found in titles(page(f"/books?q={requested}"))


def test_the_best_match_comes_first(page):
    assert titles(page("/books?q=middlemarch"))[0] == "Middlemarch"


def test_all_words_must_match(page):
    assert "Moby-Dick" not in titles(page("/books?q=moby+prejudice", status=200))


def test_an_empty_result_helps_onward(page):
    soup = page("/books?q=zzzzqqq&subject=poetry")
    assert not titles(soup)
    removals = {attribute(link, "href") for link in soup.select(".chips a")}
    assert {"/books?subject=poetry", "/books?q=zzzzqqq"} <= removals
    assert soup.select("a[href^='/books?subject=']")


@pytest.mark.parametrize(
    "requested", ["!!!", '"', "a OR", "NEAR(", "title:x", "*", "^moby", "moby*", "x AND NOT y", "-", "1️⃣", "\u0301"]
)
def test_no_search_is_taken_as_the_index_s_own_language(page, requested):
    page("/books", query_string={"q": requested})


def test_the_form_repeats_what_was_asked(page):
    soup = page("/books?q=war&subject=novel&language=en&year_from=-500&year_to=1990&sort=-year&author=jane-austen")
    assert attribute(soup.one("#q"), "value") == "war"
    assert attribute(soup.one("#author"), "value") == "Jane Austen"
    assert attribute(soup.one("#year_from"), "value") == "-500"
    assert attribute(soup.one("#year_to"), "value") == "1990"
    chosen = {
        attribute(select, "name"): attribute(option, "value")
        for select in soup.select("select")
        for option in select.select("option[selected]")
    }
    assert chosen == {"subject": "novel", "language": "en", "sort": "-year"}


def test_an_author_can_be_asked_for_by_address_by_name_or_by_part_of_it(page):
    by_address, by_name = page("/books?author=jane-austen"), page("/books?author=Jane+Austen")
    assert titles(by_address) == titles(by_name)
    assert text(by_address.one("h1")) == "Books by Jane Austen"
    assert set(titles(by_address)) <= set(titles(page("/books?author=aust")))


def test_filters_narrow_the_list(page):
    ancient = page("/books?year_to=-1&sort=year")
    assert all("BCE" in byline for byline in ancient.texts(".rows .byline"))
    assert titles(page("/books?language=ja"))


def test_every_filter_in_force_can_be_removed(page):
    soup = page("/books?q=the&language=en&year_from=1800")
    assert [attribute(link, "href") for link in soup.select(".chips a:not([href='/books'])")] == [
        "/books?language=en&year_from=1800",
        "/books?q=the&year_from=1800",
        "/books?q=the&language=en",
    ]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=x", "page"),
        ("page=1.5", "page"),
        ("page=99999999999999999999", "page"),
        ("sort=nope", "sort"),
        ("sort=relevance", "sort"),
        ("year_from=soon", "year_from"),
        ("year_to=20000", "year_to"),
        ("year_from=1900&year_to=1800", "year_to"),
        ("subject=nope", "subject"),
        ("language=xx", "language"),
        ("page=1&page=2", "page"),
        ("q=" + "x" * 10_000, "q"),
        ("author=" + "x" * 201, "author"),
        ("q=%00", "q"),
        ("author=a%1Fb", "author"),
    ],
)
def test_a_wrong_parameter_is_named(page, query, parameter):
    soup = page(f"/books?{query}", status=400)
    assert soup.texts(".alert code") == [parameter]


def test_all_wrong_parameters_are_named_at_once(page):
    soup = page("/books?page=x&sort=nope&year_from=soon", status=400)
    assert sorted(soup.texts(".alert code")) == ["page", "sort", "year_from"]


def test_a_page_past_the_end_is_not_found(page):
    soup = page("/books?page=999", status=404)
    assert "ends before this page" in text(soup.one(".lead"))


def test_an_empty_catalogue_has_a_page_too(make_app, empty_library):
    client = make_app(database_url=empty_library).test_client()
    for path in ("/", "/books", "/authors", "/subjects", "/colophon", "/feed.atom", "/sitemap.xml"):
        assert client.get(path).status_code == 200, path


@pytest.mark.parametrize("sort", SORTS)
def test_every_book_is_on_exactly_one_page(client, catalogue, sort):
    query = {"sort": sort} | ({"q": "a"} if sort == "relevance" else {})
    seen = []
    for number in range(1, 1000):
        response = client.get("/books", query_string=query | {"page": number})
        if response.status_code == 404:
            break
        seen += [line.split('"')[0] for line in response.text.split('<h2><a href="/books/')[1:]]
    assert len(seen) == len(set(seen))
    if sort != "relevance":
        assert len(seen) == catalogue.totals().books


parameters = st.fixed_dictionaries(
    {},
    optional={
        "q": st.text(max_size=220),
        "author": st.text(max_size=40),
        "subject": st.sampled_from(["poetry", "novel", "history"]) | st.text(max_size=5),
        "language": st.sampled_from(["en", "fr", "ja"]) | st.text(max_size=5),
        "year_from": st.integers().map(str) | st.text(max_size=6),
        "year_to": st.integers(-3000, 2030).map(str),
        "sort": st.sampled_from(sorted(SORTS)) | st.text(max_size=5),
        "page": st.integers(0, 30).map(str) | st.text(max_size=5),
    },
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=parameters)
def test_whatever_is_asked_the_answer_is_a_page_or_says_what_is_wrong(client, query):
    response = client.get("/books", query_string=query)
    assert response.status_code in (200, 400, 404)
    if response.status_code == 400:
        assert "<code>" in response.text
