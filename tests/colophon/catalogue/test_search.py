"""The two databases find the same books and file them the same way, each with an index of its own."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from colophon import database
from colophon.catalogue import search, writing
from colophon.catalogue.list_query import ListQuery, ParameterError
from colophon.catalogue.reading import Catalogue
from colophon.catalogue.types import NewAuthor, NewBook


@pytest.fixture(scope="module")
def both(sqlite, postgresql):
    """The catalogue that comes with the site, on each."""
    engines = [database.connect(databases.full) for databases in (sqlite, postgresql)]
    connections = [engine.connect() for engine in engines]
    yield [Catalogue(db) for db in connections]
    for db, engine in zip(connections, engines, strict=True):
        db.close()
        engine.dispose()


def every(catalogue, **query):
    """Return the slugs of all books of a list, in its order."""
    first = catalogue.page(ListQuery(**query))
    pages = [first] + [catalogue.page(ListQuery(page=number, **query)) for number in range(2, first.pages + 1)]
    return [book.slug for page in pages for book in page.items]


@pytest.mark.parametrize(
    "requested",
    [
        "moby",
        "MOBY DICK",
        "melville whale",
        "García Márquez",
        "garcia marquez",
        "cien anos",
        "solitu",
        "love",
        "bronte",
        "Brontë",
        "shakespeare king",
        "war peace",
        "middlemarch",
        "time mach",
        "night",
        "island",
        "poe",
        "толстой",
        "преступление",
        "紅樓夢",
        "红楼",
        "夏目",
        "英雄",
        "ομηρος",
        "ვეფხის",
        "1984",
        "no such book",
        "l'étranger",
        "don quix",
    ],
)
def test_a_search_finds_the_same_books_and_the_same_one_first(both, requested):
    on_sqlite, on_postgresql = (every(catalogue, q=requested, sort="relevance") for catalogue in both)
    assert set(on_sqlite) == set(on_postgresql)
    assert on_sqlite[:1] == on_postgresql[:1]


@pytest.mark.parametrize("sort", ["title", "author", "year", "-year", "-added"])
@pytest.mark.parametrize("narrowed", [{}, {"subject": "novel"}, {"language": "fr"}, {"q": "war"}, {"author": "aust"}])
def test_a_list_has_the_same_books_in_the_same_order(both, sort, narrowed):
    on_sqlite, on_postgresql = (every(catalogue, sort=sort, **narrowed) for catalogue in both)
    assert on_sqlite == on_postgresql != []


def test_what_is_counted_of_the_whole_is_the_same(both):
    on_sqlite, on_postgresql = both
    for question in ("totals", "subjects", "languages", "eras", "letters"):
        assert getattr(on_sqlite, question)() == getattr(on_postgresql, question)()
    assert on_sqlite.authors(None, 1) == on_postgresql.authors(None, 1)
    assert on_sqlite.authors("o", 1) == on_postgresql.authors("o", 1)


@settings(deadline=None, max_examples=150)
@given(q=st.text(max_size=40), author=st.text(max_size=10))
@example(q="\\' & ! | ( ) :* <-> 'x':1A", author="\\")
@example(q="a:*B & the", author="'")
def test_whatever_is_asked_both_answer_the_same(both, q, author):
    requested = {name: value for name, value in (("q", q), ("author", author)) if value.replace("\0", "").strip()}
    totals = {catalogue.page(ListQuery(**requested)).total for catalogue in both}
    assert len(totals) == 1


def test_a_subject_that_is_not_there_is_said_to_be_missing(both):
    for catalogue in both:
        with pytest.raises(ParameterError):
            catalogue.page(ListQuery(subject="nope"))


def book(title, **fields):
    author = NewAuthor("Ann Author", "Author, Ann")
    return NewBook(title=title, authors=[author], year=1900, language="en", subjects=[], **fields)


def test_a_word_longer_than_an_index_can_hold_is_found_by_its_beginning(engine):
    endless = "长" + "x" * 5000
    writing.add_books(engine, [book("Endless", description=endless), book("Short", description="x")])
    with engine.connect() as db:
        assert every(Catalogue(db), q="xxx", sort="title") == ["endless"]


def test_a_long_text_is_indexed_to_its_end(engine):
    text = " ".join(f"word{number}" for number in range(20_000))
    writing.add_books(engine, [book("Long", description=text)])
    with engine.connect() as db:
        assert every(Catalogue(db), q="word19999", sort="title") == ["long"]


def test_a_book_taken_out_of_the_index_is_not_found(engine):
    writing.add_books(engine, [book("Kept", description="Same."), book("Forgotten", description="Same.")])
    with database.transaction(engine) as db:
        (forgotten,) = [card.id for card in Catalogue(db).page(ListQuery(q="forgotten")).items]
        search.forget(db, forgotten)
    with engine.connect() as db:
        assert db.execute(search.index.select().with_only_columns(search.index.c.rowid)).all() != [(forgotten,)]
        ids = db.scalars(search.index.select().with_only_columns(search.index.c.rowid)).all()
    assert len(ids) == 1
    assert forgotten not in ids


def test_what_a_word_could_do_to_a_literal_it_cannot():
    hostile = r"it's \ 'x':1A"
    assert search._quoted(hostile) == r"'it''s \\ ''x'':1A'"


@pytest.mark.parametrize("column", [None, "authors", search.ELSEWHERE])
def test_a_word_that_is_repeated_is_looked_for_once(sqlite, postgresql, column):
    for databases in (sqlite, postgresql):
        engine = database.connect(databases.full)
        with engine.connect() as db:
            once, often = (
                [str(part.compile(db).params) for part in (search.matches(db, text, column), search.rank(db, text))]
                for text in ("Sea The", "sea the " * 25)
            )
        engine.dispose()
        assert once == often
