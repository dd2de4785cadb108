"""Where books and people are filed: the keys that order them, the words that find them, and their addresses."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from sqlalchemy import select

from .text import KEY_LENGTH, index_words, slugify, sort_key, sort_name, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.orm import InstrumentedAttribute

    from .types import NewBook


def name_key(name: str) -> str:
    """Return the key that files a person by the name that they are filed under."""
    return " ".join(words(name))[:KEY_LENGTH] or name[:KEY_LENGTH]


def author_key(book: NewBook) -> str:
    """Return the key that files a book by its first author, and with the others of theirs by its title."""
    # A tab sorts before every letter, so that a shorter name comes before one that goes on.
    first = book.authors[0]
    return f"{name_key(first.sort or sort_name(first.name))}\t{sort_key(book.title)}"[:KEY_LENGTH]


def search_words(book: NewBook) -> dict[str, str]:
    """Return the words under which a book is found, parted by spaces, by the columns of the index."""
    texts = {
        "title": (book.title, book.subtitle, book.original_title),
        "authors": [name for author in book.authors for name in (author.name, author.original_name)],
        "subjects": book.subjects,
        "description": (book.description, book.isbn13),
    }
    return {column: " ".join(index_words(" ".join(filter(None, parts)))) for column, parts in texts.items()}


def free_slugs(db: Connection, column: InstrumentedAttribute[str], candidates: Sequence[Iterator[str]]) -> list[str]:
    """Return a slug for each new row that no other has: the first of its candidates that is free."""
    chosen: dict[int, str] = {}
    while len(chosen) < len(candidates):
        wanted = {place: next(slugs) for place, slugs in enumerate(candidates) if place not in chosen}
        taken = set(db.scalars(select(column).where(column.in_(wanted.values())))) | set(chosen.values())
        for place, slug in wanted.items():
            if slug not in taken:
                chosen[place] = slug
                taken.add(slug)
    return [chosen[place] for place in range(len(candidates))]


def book_slugs(book: NewBook) -> Iterator[str]:
    """Yield a book's possible slugs: its title, else with its author, else numbered."""
    title = slugify(book.title)
    if not (title.isdigit() and len(title) == 13):  # which would be taken for an ISBN
        yield title
    yield from numbered(slugify(f"{title[:50]} {book.authors[0].name}"))


def numbered(slug: str) -> Iterator[str]:
    """Yield a slug, then the same with 2, 3 and so on."""
    yield slug
    for number in count(2):
        yield f"{slug[:70]}-{number}"
