"""Authority control: one author and one subject for all of its books, added with the first, removed with the last."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, insert, select, update

from ..database.models import Author, Book, BookAuthor, BookSubject, Subject
from . import keys, search
from .reading import Catalogue
from .text import slugify, sort_name
from .types import NewAuthor, NewBook

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection


def resolve(db: Connection, books: list[NewBook]) -> list[NewBook]:
    """Add the authors and subjects that the catalogue lacks, and return the books in their controlled form.

    Authors are shared between books: a new filing name or original name changes the author in every book; one that is
    left out stays as it was. A subject keeps its first spelling. A book's subjects are in the order of their names.
    """
    authors = _resolve_authors(db, [author for book in books for author in book.authors])
    given: dict[str, str] = {}
    for name in (name for book in books for name in book.subjects):
        given.setdefault(slugify(name), name)
    subjects = _resolve_subjects(db, given)

    def with_headings(book: NewBook) -> NewBook:
        headings: dict[str, Any] = {  # mypy's `replace` does not know the type parameters of a base class
            "authors": [authors[name] for name in dict.fromkeys(author.name for author in book.authors)],
            "subjects": sorted({subjects[slug] for slug in map(slugify, book.subjects)}),
        }
        return replace(book, **headings)

    return list(map(with_headings, books))


def _resolve_authors(db: Connection, given: Iterable[NewAuthor]) -> dict[str, NewAuthor]:
    wanted: dict[str, NewAuthor] = {}
    for author in given:
        before = wanted.get(author.name, author)
        wanted[author.name] = NewAuthor(
            author.name, author.sort or before.sort, author.original_name or before.original_name
        )
    columns = (Author.name, Author.sort_name, Author.original_name)
    known = {row[0]: NewAuthor(*row) for row in db.execute(select(*columns).where(Author.name.in_(wanted)))}
    missing, changed = [], []
    for name, author in wanted.items():
        there = known.get(name)
        wanted[name] = NewAuthor(
            name,
            author.sort or (there.sort if there else sort_name(name)),
            author.original_name or (there.original_name if there else None),
        )
        if there is None:
            missing.append(wanted[name])
        elif there != wanted[name]:
            changed.append(wanted[name])
    if missing:
        slugs = keys.free_slugs(db, Author.slug, [keys.numbered(slugify(author.name)) for author in missing])
        rows = [_author_columns(author) | {"slug": slug} for author, slug in zip(missing, slugs, strict=True)]
        db.execute(insert(Author), rows)
    for author in changed:
        _refile(db, author)
    return wanted


def _author_columns(author: NewAuthor) -> dict[str, str | None]:
    filed = author.sort or sort_name(author.name)
    return {
        "name": author.name,
        "sort_name": filed,
        "original_name": author.original_name,
        "sort_key": keys.name_key(filed),
    }


def _refile(db: Connection, author: NewAuthor) -> None:
    """Store an author's new filing name or original name, and renew the keys of all of their books."""
    db.execute(update(Author).where(Author.name == author.name).values(_author_columns(author)))
    theirs = (
        select(BookAuthor.book_id).join(Author, Author.id == BookAuthor.author_id).where(Author.name == author.name)
    )
    for book in Catalogue(db).details(db.scalars(theirs).all()):
        stored = NewBook.of(book)
        db.execute(update(Book).where(Book.id == book.id).values(author_key=keys.author_key(stored)))
        search.forget(db, book.id)
        search.write(db, {book.id: keys.search_words(stored)})


def _resolve_subjects(db: Connection, wanted: dict[str, str]) -> dict[str, str]:
    """Add the subjects that the catalogue lacks, and return the catalogue's spelling of each by its slug."""
    known = select(Subject.slug, Subject.name).where(Subject.slug.in_(wanted))
    spelled = dict(db.execute(known).all())
    missing = [{"slug": slug, "name": name} for slug, name in wanted.items() if slug not in spelled]
    if missing:
        db.execute(insert(Subject), missing)
    return wanted | spelled


def remove_unused(db: Connection) -> None:
    """Remove the authors and subjects that no book has."""
    db.execute(delete(Author).where(~exists().where(BookAuthor.author_id == Author.id)))
    db.execute(delete(Subject).where(~exists().where(BookSubject.subject_id == Subject.id)))
