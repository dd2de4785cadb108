"""Sort keys, slugs and search words of books and authors."""

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
    """Return the sort key of a filing name."""
    return " ".join(words(name))[:KEY_LENGTH] or name[:KEY_LENGTH]


def author_key(book: NewBook) -> str:
    """Return the key that sorts a book by its first author, then by its title."""
    # A tab sorts before every letter, so that a name comes before longer ones that begin with it.
    first = book.authors[0]
    return f"{name_key(first.sort or sort_name(first.name))}\t{sort_key(book.title)}"[:KEY_LENGTH]


def search_words(book: NewBook) -> dict[str, str]:
    """Return a book's search words for each column of the index, separated by spaces."""
    texts = {
        "title": (book.title, book.subtitle, book.original_title),
        "authors": [name for author in book.authors for name in (author.name, author.original_name)],
        "subjects": book.subjects,
        "description": (book.description, book.isbn13),
    }
    return {column: " ".join(index_words(" ".join(filter(None, parts)))) for column, parts in texts.items()}


def free_slugs(db: Connection, column: InstrumentedAttribute[str], candidates: Sequence[Iterator[str]]) -> list[str]:
    """Return a unique slug for each new row: the first of its candidates that is free."""
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
    """Yield candidates for a book's slug: its title, then with its author, then numbered."""
    title = slugify(book.title)
    if not (title.isdigit() and len(title) == 13):  # or it would be read as an ISBN
        yield title
    yield from numbered(slugify(f"{title[:50]} {book.authors[0].name}"))


def numbered(slug: str) -> Iterator[str]:
    """Yield a slug, then the same with 2, 3 and so on."""
    yield slug
    for number in count(2):
        yield f"{slug[:70]}-{number}"
