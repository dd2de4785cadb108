"""Made-up books; `python -m bench.made_up_books NUMBER` adds some to the database that the settings name."""

from __future__ import annotations

import argparse
import random
from typing import TYPE_CHECKING

from colophon import settings
from colophon.catalogue.built_in import built_in_books
from colophon.catalogue.types import NewAuthor, NewBook
from colophon.catalogue.writing import add_books
from colophon.database import revisions

if TYPE_CHECKING:
    from collections.abc import Iterator


def made_up_books(number: int, seed: int = 1) -> Iterator[NewBook]:
    """Yield made-up books: the same ones for the same seed.

    Their words, authors, subjects and languages are drawn from the built-in books, the common ones more often, as in a
    real catalogue; every hundredth word is a rare one.
    """
    books = list(built_in_books())
    chance = random.Random(seed)
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.made_up_books", description=__doc__)
    parser.add_argument("number", type=int)
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same books (%(default)s)")
    given = parser.parse_args()
    with revisions.ready(settings.load().database_url) as engine:
        add_books(engine, made_up_books(given.number, given.seed))


if __name__ == "__main__":
    main()
