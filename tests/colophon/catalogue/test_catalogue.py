"""Questions to the catalogue, and changes to it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from colophon.catalogue import reading
from colophon.catalogue.list_query import PER_PAGE, ListQuery
from colophon.catalogue.reading import Catalogue, PastTheEndError
from colophon.catalogue.types import NewAuthor, NewBook
from colophon.catalogue.writing import BATCH, add_books, is_empty


def new_book(title="A Title", author="Ann Author", **fields):
    defaults = {"year": 1900, "language": "en", "subjects": ["Novel"], "description": "About something."}
    return NewBook(title=title, authors=[NewAuthor(author, author)], **(defaults | fields))


def found(engine, **query):
    """Return the titles of all books that a query finds, in order, walking through its pages."""
    with engine.connect() as db:
        catalogue = Catalogue(db)
        query.setdefault("sort", "relevance" if query.get("q") else "title")
        first = catalogue.page(ListQuery(**query))
        pages = [first] + [catalogue.page(ListQuery(page=number, **query)) for number in range(2, first.pages + 1)]
        assert first.total == sum(len(page.items) for page in pages)
        return [book.title for page in pages for book in page.items]


def test_a_new_catalogue_is_empty(engine):
    assert is_empty(engine)
    assert found(engine) == []


def test_adding_no_book_changes_nothing(engine):
    with engine.connect() as db:
        before = Catalogue(db).state
    assert add_books(engine, []) == 0
    with engine.connect() as db:
        assert Catalogue(db).state == before


def test_books_that_were_added_are_found(engine):
    assert add_books(engine, [new_book("Emma"), new_book("Persuasion")]) == 2
    assert not is_empty(engine)
    assert found(engine) == ["Emma", "Persuasion"]
    assert found(engine, q="persua") == ["Persuasion"]


def test_a_word_in_the_title_weighs_more_than_one_in_the_description(engine):
    add_books(
        engine,
        [
            new_book("Of the sea", description="Whales, whales, whales and whales."),
            new_book("Whales", description="Of the sea."),
            new_book("Of ships", author="Wanda Whales"),
            new_book("Of nets", subjects=["Whales"]),
        ],
    )
    assert found(engine, q="whales") == ["Whales", "Of ships", "Of nets", "Of the sea"]


def test_a_whole_word_comes_before_longer_ones(engine):
    add_books(engine, [new_book("Artist"), new_book("Art"), new_book("Artifice")])
    assert found(engine, q="art")[0] == "Art"


def test_a_search_too_broad_to_rank_still_finds_each_book_once(engine, monkeypatch):
    monkeypatch.setattr(reading, "BROAD", 10)
    add_books(engine, [new_book(f"Sea {n}" if n % 2 else f"Land {n}", description="The sea.") for n in range(90)])
    titles = found(engine, q="sea")
    assert len(set(titles)) == len(titles) == 90
    assert all(title.startswith("Sea") for title in titles[:45])
    assert titles[0] == "Sea 89"


def test_both_ways_to_walk_a_filtered_list_find_the_same(engine, monkeypatch):
    add_books(engine, [new_book(f"Book {n:03}", subjects=["Poetry"] if n % 3 else ["Novel"]) for n in range(90)])
    few = {"subject": "poetry", "language": "en", "year_from": 1900, "year_to": 1900}
    walking = found(engine, **few)
    monkeypatch.setattr(Catalogue, "totals", lambda _: reading.Totals(10**9, 0, 0, 0, 0))
    assert found(engine, **few) == walking == [f"Book {n:03}" for n in range(90) if n % 3]


def test_an_order_s_ties_are_broken_the_same_way_each_time(engine):
    add_books(engine, [new_book("Same") for _ in range(50)])
    for sort in ("title", "author", "year", "-year", "-added"):
        assert len(found(engine, sort=sort)) == 50


def test_years_before_the_common_era_sort_before_it(engine):
    add_books(engine, [new_book("Late", year=1), new_book("Early", year=-800), new_book("Middle", year=-1)])
    assert found(engine, sort="year") == ["Early", "Middle", "Late"]
    assert found(engine, year_to=-1) == ["Early", "Middle"]


def test_books_of_one_title_have_addresses_of_their_own(engine):
    add_books(
        engine, [new_book("Poems", "Ann Author"), new_book("Poems", "Ben Author"), new_book("Poems", "Ben Author")]
    )
    add_books(engine, [new_book("Poems", "Ann Author")])
    with engine.connect() as db:
        slugs = [book.slug for book in Catalogue(db).page(ListQuery(sort="-added")).items]
    assert sorted(slugs) == ["poems", "poems-ann-author", "poems-ben-author", "poems-ben-author-2"]


def test_authors_stand_in_the_order_of_the_title_page(engine):
    authors = [NewAuthor(name, name) for name in ("Zoe", "Ann", "Zoe", "Max")]
    add_books(engine, [NewBook(title="T", authors=authors, year=1, language="en", subjects=[], description="")])
    with engine.connect() as db:
        assert [author.name for author in Catalogue(db).book("t").authors] == ["Zoe", "Ann", "Max"]


def test_nothing_is_kept_of_a_batch_that_fails(engine):
    add_books(engine, [new_book("First", isbn13="9780306406157")])
    many = [new_book(f"Book {n}") for n in range(600)]
    with pytest.raises(IntegrityError):
        add_books(engine, [*many, new_book("Copy", isbn13="9780306406157")])
    assert found(engine) == ["First"]


@pytest.mark.parametrize("fields", [{"year": 0}, {"pages": 0}])
def test_the_database_itself_refuses_what_cannot_be(engine, fields):
    with pytest.raises(IntegrityError):
        add_books(engine, [new_book(**fields)])


def test_what_is_remembered_is_never_stale(engine):
    add_books(engine, [new_book("One")])
    with engine.connect() as db:
        catalogue = Catalogue(db)
        assert catalogue.totals().books == 1
    add_books(engine, [new_book("Two", language="fr")])
    with engine.connect() as db:
        assert Catalogue(db).totals().books == 2
        assert [language.slug for language in Catalogue(db).languages()] == ["en", "fr"]


def test_a_page_past_the_end_is_an_error(catalogue):
    with pytest.raises(PastTheEndError):
        catalogue.page(ListQuery(page=10**9))


def test_a_subject_keeps_the_spelling_that_it_came_with_first_in_one_batch_too(engine):
    spellings = ["Nature Walks", "nature walks", "Nature walks"]
    add_books(engine, [new_book(f"Book {number}", subjects=[name]) for number, name in enumerate(spellings)])
    with engine.connect() as db:
        assert [subject.name for subject in Catalogue(db).subjects()] == ["Nature Walks"]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    q=st.sampled_from(["a", "the", "war", "s", "history of", "love"]) | st.none(),
    subject=st.sampled_from(["novel", "poetry", None]),
    language=st.sampled_from(["en", "fr", None]),
    years=st.tuples(st.integers(-3000, 2030), st.integers(-3000, 2030)).map(sorted) | st.none(),
    sort=st.sampled_from(["title", "author", "year", "-year", "-added", "relevance"]),
    broad=st.sampled_from([0, 30, 10_000]),
)
def test_every_book_of_any_list_is_on_exactly_one_of_its_pages(catalogue, q, subject, language, years, sort, broad):
    wanted = {
        "q": q,
        "subject": subject,
        "language": language,
        "sort": sort if q or sort != "relevance" else "title",
    }
    wanted |= dict(zip(("year_from", "year_to"), years, strict=True)) if years else {}
    before, reading.BROAD = reading.BROAD, broad
    try:
        pages = [catalogue.page(ListQuery(**wanted))]
        pages += [catalogue.page(ListQuery(**wanted, page=number)) for number in range(2, pages[0].pages + 1)]
    finally:
        reading.BROAD = before
    ids = [book.id for page in pages for book in page.items]
    assert len(ids) == len(set(ids)) == pages[0].total
    assert all(len(page.items) == PER_PAGE for page in pages[:-1])
    assert [page.last - page.first + 1 for page in pages if page.items] == [
        len(page.items) for page in pages if page.items
    ]


def with_an_author_filed_anew():
    """Yield two batches of books; the second files the first's author under another name."""
    yield new_book("First", "Ann Author", subjects=["Falconry"])
    yield from (new_book(f"Filler {number}", f"Someone {number}") for number in range(BATCH - 1))
    yield NewBook(
        title="Second",
        authors=[NewAuthor("Ann Author", "Zed, Ann")],
        year=1,
        language="en",
        subjects=[],
        description="d",
    )


def test_a_change_that_fails_leaves_nothing_in_memory(engine):
    def failing():
        yield from with_an_author_filed_anew()
        raise RuntimeError("planted")

    add_books(engine, [new_book("Before", subjects=["Novel"])])
    with pytest.raises(RuntimeError, match="planted"):
        add_books(engine, failing())
    with engine.connect() as db:
        assert [subject.name for subject in Catalogue(db).subjects()] == ["Novel"]


def test_an_author_who_is_filed_anew_keeps_their_books_subjects(engine):
    add_books(engine, [new_book("Before", subjects=["Novel"])])
    with engine.connect() as db:
        assert len(Catalogue(db).subjects()) == 1
    add_books(engine, with_an_author_filed_anew())
    assert found(engine, q="falconry") == ["First"]
    assert found(engine, subject="falconry") == ["First"]
