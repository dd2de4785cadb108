"""What a list shows, in which order, and at what cost."""

from itertools import pairwise

import pytest

from bench.made_up_books import made_up_books
from colophon import database
from colophon.catalogue import reading
from colophon.catalogue.list_query import PER_PAGE, ListQuery
from colophon.catalogue.reading import Catalogue, PastTheEndError
from colophon.catalogue.types import ERAS, NewAuthor, NewBook
from colophon.catalogue.writing import add_books
from colophon.database import revisions
from colophon.pages.views import _pager
from tests.databases import statements_of


def book(title, author="Ann Author", **fields):
    defaults = {"year": 1900, "language": "en", "subjects": ["Novel"], "description": "About something."}
    return NewBook(title=title, authors=[NewAuthor(author, author)], **(defaults | fields))


def titles(engine, **query):
    with engine.connect() as db:
        return [found.title for found in Catalogue(db).page(ListQuery(**query)).items]


@pytest.mark.parametrize(
    ("page", "pages", "shown"),
    [
        (1, 1, [1]),
        (1, 3, [1, 2, 3]),
        (1, 9, [1, 2, None, 9]),
        (4, 9, [1, 2, 3, 4, 5, None, 9]),
        (5, 9, [1, None, 4, 5, 6, None, 9]),
        (6, 9, [1, None, 5, 6, 7, 8, 9]),
        (9, 9, [1, None, 8, 9]),
    ],
)
def test_the_pager_shows_the_ends_and_what_is_near_and_no_gap_of_one(page, pages, shown):
    assert _pager(page, pages) == shown


def test_the_page_after_a_full_last_one_is_past_the_end(engine):
    add_books(engine, [book(f"Book {number}") for number in range(2 * PER_PAGE)])
    assert len(titles(engine, page=2)) == PER_PAGE
    with pytest.raises(PastTheEndError):
        titles(engine, page=3)


def test_books_are_ordered_as_is_asked(engine):
    add_books(
        engine, [book("Alpha", "Zoe", year=1950), book("The Beta", "Ann", year=-300), book("Gamma", "Max", year=800)]
    )
    add_books(engine, [book("Latest", "Eve", year=1)])
    assert titles(engine, sort="title") == ["Alpha", "The Beta", "Gamma", "Latest"]
    assert titles(engine, sort="author") == ["The Beta", "Latest", "Gamma", "Alpha"]
    assert titles(engine, sort="year") == ["The Beta", "Latest", "Gamma", "Alpha"]
    assert titles(engine, sort="-year") == ["Alpha", "Gamma", "Latest", "The Beta"]
    assert titles(engine, sort="-added")[0] == "Latest"


@pytest.mark.parametrize("sort", ["title", "author", "year", "-year", "-added"])
def test_books_that_an_order_does_not_tell_apart_stay_in_theirs(engine, sort):
    add_books(engine, [book("Same")])
    with statements_of(engine) as statements:
        titles(engine, sort=sort)
    ordered = [statement for statement in statements if "LIMIT" in statement and "ORDER BY" in statement]
    assert ordered
    assert all("books.id" in statement.split("ORDER BY")[1] for statement in ordered)


def test_a_title_that_is_just_what_was_asked_comes_first(engine):
    add_books(
        engine,
        [
            book("The Little Prince", description="A prince."),
            book("The Prince", description="Advice to those who rule, and a long time ago, in many words."),
        ],
    )
    assert titles(engine, q="prince", sort="relevance")[0] == "The Prince"


def test_an_author_s_name_is_looked_for_among_authors_only(engine):
    add_books(engine, [book("By her", "Jane Austen"), book("Austen", "Someone Else", description="Of Austen.")])
    assert titles(engine, author="austen") == ["By her"]


@pytest.mark.parametrize(
    ("title", "requested"),
    [
        ("Gulliver’s Travels", "gullivers travels"),
        ("L’Étranger", "letranger"),
        ("Moby-Dick", "mobydick"),
        ("Moby-Dick", "moby-dick"),
        ("The C Programming Language", "c++"),
    ],
)
def test_what_is_written_together_is_found_so_too(engine, title, requested):
    add_books(engine, [book(title), book("Cats and dogs, of course")])
    assert titles(engine, q=requested, sort="relevance") == [title]


def test_initials_and_isbns_are_found(engine):
    add_books(engine, [book("The Hobbit", "J. R. R. Tolkien"), book("Bare", "J.R.R. Other", isbn13="9780306406157")])
    assert titles(engine, q="tolkien j", sort="relevance") == ["The Hobbit"]
    assert titles(engine, q="jrr", sort="relevance") == ["Bare"]
    assert titles(engine, q="9780306406157", sort="relevance") == ["Bare"]


def test_authors_are_told_apart_by_their_names_not_by_their_addresses(engine):
    add_books(engine, [book("One", "李明"), book("Two", "黎明"), book("Three", "!!!"), book("Four", "???")])
    with engine.connect() as db:
        rows = Catalogue(db).authors(None, 1).items
    assert {row.name: row.count for row in rows} == {"李明": 1, "黎明": 1, "!!!": 1, "???": 1}
    assert len({row.slug for row in rows}) == 4


def test_a_letter_has_its_own_authors_and_how_many_books_each_has(engine):
    add_books(engine, [book("One", "Abel"), book("Two", "Abel"), book("Three", "Azur"), book("Four", "Babel")])
    with engine.connect() as db:
        page = Catalogue(db).authors("a", 1)
    assert [(row.name, row.count) for row in page.items] == [("Abel", 2), ("Azur", 1)]


def test_a_book_has_an_author():
    with pytest.raises(ValueError, match="at least one author"):
        NewBook(title="T", authors=[], year=1, language="en", subjects=[], description="")


def test_the_eras_follow_each_other_without_a_gap():
    assert (ERAS[0].year_from, ERAS[-1].year_to) == (None, None)
    for before, after in pairwise(ERAS):
        assert after.year_from == before.year_to + 1


@pytest.fixture(scope="module")
def steps_of(tmp_path_factory):
    """Count the steps of SQLite's own machine that a page takes in a catalogue of 5,000 books."""
    file = tmp_path_factory.mktemp("steps") / "many.db"
    file.touch()
    engine = database.connect(f"sqlite:///{file}")
    revisions.upgrade(engine)
    add_books(engine, made_up_books(5000))

    def count(**query):
        with engine.connect() as db:
            catalogue = Catalogue(db)
            catalogue.page(ListQuery(**query))  # what is remembered is no cost of a page
            taken = [0]

            def step():
                taken[0] += 100

            db.connection.dbapi_connection.set_progress_handler(step, 100)
            catalogue.page(ListQuery(**query))
            db.connection.dbapi_connection.set_progress_handler(None, 0)
            return taken[0]

    yield count
    engine.dispose()


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"sort": "-year"},
        {"subject": "novel"},
        {"subject": "novel", "sort": "year"},
        {"language": "en", "sort": "-year"},
        {"year_from": 1800, "year_to": 1950},
        {"year_from": 1800, "year_to": 1950, "sort": "author"},
    ],
)
def test_a_page_costs_what_it_shows_not_what_the_catalogue_holds(steps_of, query):
    # Sorting all that a filter finds takes some 20,000 steps and more.
    assert steps_of(**query) < 8000


def test_a_broad_search_ranks_nothing(steps_of, monkeypatch):
    narrow = steps_of(q="the", sort="relevance")
    monkeypatch.setattr(reading, "BROAD", 10**9)
    assert narrow * 3 < steps_of(q="the", sort="relevance")
