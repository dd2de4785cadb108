"""Home, authors, subjects and the page about the site."""

import pytest

from colophon.catalogue.list_query import AUTHORS_PER_PAGE
from tests.pagecheck import attribute, text


def test_home_leads_into_the_catalogue(page, catalogue):
    soup = page("/")
    assert f"{catalogue.totals().books} books" in text(soup.one("main"))
    assert len(soup.select(".shelf li")) == 8
    assert len(soup.select("a[href^='/books?subject=']")) == len(catalogue.subjects())
    assert soup.select("a[href='/books?year_to=499&sort=year']")


def test_the_eras_hold_every_book_once(catalogue):
    assert sum(era.count for era in catalogue.eras()) == catalogue.totals().books


def test_authors_are_listed_by_the_name_they_are_filed_under(page, catalogue):
    soup = page("/authors")
    names = [row.sort for row in catalogue.authors(None, 1).items]
    assert len(soup.select("a[href^='/books?author=']")) == min(AUTHORS_PER_PAGE, catalogue.totals().authors)
    assert names[0] < names[50]


def test_a_letter_shows_its_authors_only(page):
    soup = page("/authors?letter=A")
    assert "/books?author=jane-austen" in [attribute(link, "href") for link in soup.select("main a")]
    assert "/books?author=herman-melville" not in [attribute(link, "href") for link in soup.select("main a")]


def test_a_letter_without_authors_is_an_empty_list(page):
    page("/authors?letter=%D0%AE")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("letter=ab", "letter"),
        ("letter=%00", "letter"),
        ("letter=%E2%98%83", "letter"),
        ("page=0", "page"),
        ("page=x", "page"),
    ],
)
def test_a_wrong_parameter_of_the_authors_is_named(page, query, parameter):
    assert page(f"/authors?{query}", status=400).texts(".alert code") == [parameter]


def test_authors_past_the_end_are_not_found(page):
    page("/authors?page=500", status=404)


def test_subjects_are_listed_with_their_numbers_of_books(page, catalogue):
    shown = text(page("/subjects").one("main"))
    for subject in catalogue.subjects():
        assert subject.name in shown
        assert str(subject.count) in shown


def test_about_says_how_to_report_a_weakness(page):
    assert page("/about").select("#security")
