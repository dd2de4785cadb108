"""The catalogue that comes with the site."""

import re
import unicodedata
from collections import Counter, defaultdict
from itertools import islice

import pytest

from bench.made_up_books import made_up_books
from colophon.catalogue.built_in import built_in_books
from colophon.catalogue.languages import language_name
from colophon.catalogue.text import slugify


@pytest.fixture(scope="module")
def books():
    return list(built_in_books())


def test_there_is_enough_to_read(books):
    assert len(books) >= 200
    assert len({subject for book in books for subject in book.subjects}) >= 12
    assert len({book.language for book in books}) >= 8


def test_it_reaches_from_antiquity_to_the_present(books):
    assert min(book.year for book in books) < -500
    assert max(book.year for book in books) >= 2010
    assert sum(book.year < 0 for book in books) >= 15


def test_no_book_stands_in_it_twice(books):
    counts = Counter((book.title, book.authors[0].name) for book in books)
    assert max(counts.values()) == 1


def test_every_field_is_as_it_should_be(books):
    for book in books:
        assert book.title
        assert book.authors
        assert book.year != 0
        assert 1 <= len(book.subjects) <= 4
        assert language_name(book.language) != book.language, book
        assert 40 <= len(book.description) <= 300, book
        for text in (book.title, book.subtitle, book.original_title, book.description, book.publisher):
            assert text is None or (text == text.strip() and unicodedata.is_normalized("NFC", text)), book


def test_isbns_have_the_right_check_digit(books):
    isbns = [book.isbn13 for book in books if book.isbn13]
    assert isbns
    assert len(isbns) == len(set(isbns))
    for isbn in isbns:
        assert re.fullmatch(r"97[89]\d{10}", isbn)
        assert sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(isbn)) % 10 == 0, isbn


def test_an_author_is_written_the_same_in_every_book(books):
    spellings = defaultdict(set)
    for book in books:
        for author in book.authors:
            spellings[slugify(author.name)].add(author)
    assert {slug: authors for slug, authors in spellings.items() if len(authors) > 1} == {}


def test_titles_in_other_scripts_are_among_them(books):
    scripts = {unicodedata.name(book.title[0]).split()[0] for book in books if book.title[0].isalpha()}
    assert {"LATIN", "CYRILLIC", "GREEK", "CJK"} <= scripts


def test_made_up_books_are_the_same_for_the_same_seed():
    assert list(made_up_books(20)) == list(made_up_books(20))
    assert list(made_up_books(20)) != list(made_up_books(20, seed=2))
    assert list(islice(made_up_books(10**6), 5))
