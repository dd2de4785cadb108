"""Books from files: the catalogue that comes with the site, and made-up ones of any size for benchmarks."""

from __future__ import annotations

import json
import random
from importlib import resources
from typing import TYPE_CHECKING

from .types import NewAuthor, NewBook

if TYPE_CHECKING:
    from collections.abc import Iterator

_DATA = resources.files("colophon") / "data"


def built_in_books() -> Iterator[NewBook]:
    """Yield the books that come with the site, in the order of their file."""
    with (_DATA / "books.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            fields = json.loads(line)
            fields["authors"] = [NewAuthor(**author) for author in fields["authors"]]
            yield NewBook(**fields)


def made_up_books(number: int, seed: int = 1) -> Iterator[NewBook]:
    """Yield books that nobody wrote, for benchmarks: the same ones for the same seed.

    Their words, authors, subjects and languages are drawn from the built-in books, the common ones more often, as in a
    real catalogue; every hundredth word is a rare one.
    """
    books = list(built_in_books())
    chance = random.Random(seed)  # noqa: S311 -- not a secret
    vocabulary = [word for book in books for word in book.title.split() + book.description.rstrip(".").split()]
    given_names = [author.name.split()[0] for book in books for author in book.authors]
    family_names = [author.name.split()[-1] for book in books for author in book.authors]
    years = sorted(book.year for book in books)
    syllables = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]

    def some_words(fewest: int, most: int) -> str:
        return " ".join(
            "".join(chance.choices(syllables, k=4)) if chance.random() < 0.01 else chance.choice(vocabulary)
            for _ in range(chance.randint(fewest, most))
        )

    def author() -> NewAuthor:
        given, family = chance.choice(given_names), chance.choice(family_names)
        middle = chance.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        return NewAuthor(f"{given} {middle}. {family}", f"{family}, {given} {middle}.")

    for _ in range(number):
        pattern = chance.choice(books)
        yield NewBook(
            title=some_words(1, 6).capitalize(),
            authors=[author() for _ in range(chance.choice((1, 1, 1, 1, 2, 3)))],
            year=min(chance.choice(years) + chance.randint(-20, 20), 2025) or 1,
            language=pattern.language,
            subjects=pattern.subjects,
            description=some_words(12, 30).capitalize() + ".",
            pages=chance.randint(40, 900),
        )
