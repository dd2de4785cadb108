"""Changes of the catalogue, each in one transaction: books with their authors, subjects and search words."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from .. import database
from ..database.models import AuditEntry, Author, Book, BookAuthor, BookSubject, CatalogueState, Subject
from . import authorities, keys, search
from .reading import Catalogue
from .text import sort_key
from .types import COLUMNS, NewBook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection, Engine

    from .types import BookDetail

BATCH = 500


class IsbnTakenError(ValueError):
    """Another book, named by `slug`, has this ISBN."""

    def __init__(self, isbn13: str, slug: str) -> None:
        super().__init__(f"The ISBN {isbn13} is that of the book ‘{slug}’.")
        self.slug = slug


def add_books(
    engine: Engine,
    books: Iterable[NewBook],
    progress: Callable[[int], None] = lambda _: None,
    *,
    refused: Callable[[NewBook, str], None] | None = None,
    only_if_empty: bool = False,
) -> int:
    """Add books in one transaction and return their number.

    Calls `progress` with the size of each batch. Calls `refused` for each book whose ISBN is taken, with the slug of
    the book that has it, and leaves the book out; if `refused` raises, no book is added. Without `refused`, a taken
    ISBN raises sqlalchemy.exc.IntegrityError. With `only_if_empty`, a catalogue with any book is left alone, so that
    two processes can start with the same books.
    """
    added = 0
    rest = iter(books)
    with database.transaction(engine) as db:
        if only_if_empty and db.scalar(select(Book.id).limit(1)) is not None:
            return 0
        while batch := list(islice(rest, BATCH)):
            good = _without_taken_isbns(db, batch, refused) if refused else batch
            if good:
                _add_batch(db, good)
            added += len(good)
            progress(len(batch))
        if added:
            _new_state(db)
            database.analyze(db, added)
    return added


def create_book(db: Connection, book: NewBook, token_id: int | None = None) -> str:
    """Add one book, in the caller's transaction, and return its slug. Raises IsbnTakenError."""
    _refuse_taken_isbn(db, book)
    (slug,) = _add_batch(db, [book], token_id)
    _new_state(db)
    return slug


def replace_book(db: Connection, old: BookDetail, book: NewBook, token_id: int | None = None) -> None:
    """Replace a book, in the caller's transaction; its slug stays. Raises IsbnTakenError.

    Replacing a book with an identical one does nothing.
    """
    _refuse_taken_isbn(db, book, old.id)
    (book,) = authorities.resolve(db, [book])
    before = NewBook.of(old)
    if book == before:
        return
    _audit(db, token_id, [("replace", old.slug, before, book)])
    db.execute(update(Book).where(Book.id == old.id).values(_columns(book)))
    for links in (BookAuthor, BookSubject):
        db.execute(delete(links).where(links.book_id == old.id))
    search.forget(db, old.id)
    _link(db, [(old.id, book)])
    authorities.remove_unused(db)
    _new_state(db)


def delete_book(db: Connection, old: BookDetail, token_id: int | None = None) -> None:
    """Delete a book, in the caller's transaction, with the authors and subjects that no other book has."""
    _audit(db, token_id, [("delete", old.slug, NewBook.of(old), None)])
    search.forget(db, old.id)
    db.execute(delete(Book).where(Book.id == old.id))
    authorities.remove_unused(db)
    _new_state(db)


def is_empty(engine: Engine) -> bool:
    """Return True if the catalogue has no book."""
    with engine.connect() as db:
        return db.scalar(select(Book.id).limit(1)) is None


def _new_state(db: Connection) -> None:
    db.execute(delete(CatalogueState))
    db.execute(insert(CatalogueState).values(id=1, state=secrets.token_hex(8), changed_at=datetime.now(UTC)))


def _refuse_taken_isbn(db: Connection, book: NewBook, own_id: int | None = None) -> None:
    if book.isbn13 is None:
        return
    taken = select(Book.slug).where(Book.isbn13 == book.isbn13, Book.id != (own_id or 0))
    if slug := db.scalar(taken):
        raise IsbnTakenError(book.isbn13, slug)


def _without_taken_isbns(
    db: Connection, books: list[NewBook], refused: Callable[[NewBook, str], None]
) -> list[NewBook]:
    taken = Catalogue(db).slugs_by_isbn([book.isbn13 for book in books if book.isbn13])
    for book in books:
        if book.isbn13 in taken:
            refused(book, taken[book.isbn13])
    return [book for book in books if book.isbn13 not in taken]


def _add_batch(db: Connection, books: list[NewBook], token_id: int | None = None) -> list[str]:
    now = datetime.now(UTC)
    books = authorities.resolve(db, books)
    slugs = keys.free_slugs(db, Book.slug, [keys.book_slugs(book) for book in books])
    rows = [_columns(book) | {"slug": slug, "added_at": now} for book, slug in zip(books, slugs, strict=True)]
    ids = db.scalars(insert(Book).returning(Book.id, sort_by_parameter_order=True), rows).all()
    _link(db, list(zip(ids, books, strict=True)))
    _audit(db, token_id, [("create", slug, None, book) for book, slug in zip(books, slugs, strict=True)])
    return slugs


def _columns(book: NewBook) -> dict[str, object]:
    """Return the columns of a book's own row."""
    keys_of = {"title_key": sort_key(book.title), "author_key": keys.author_key(book)}
    return {name: getattr(book, name) for name in COLUMNS} | keys_of


def _link(db: Connection, books: list[tuple[int, NewBook]]) -> None:
    """Link resolved books, by their ids, to their authors and subjects, and index their search words."""
    names = {author.name for _, book in books for author in book.authors}
    authors = dict(db.execute(select(Author.name, Author.id).where(Author.name.in_(names))).all())
    labels = {name for _, book in books for name in book.subjects}
    subjects = dict(db.execute(select(Subject.name, Subject.id).where(Subject.name.in_(labels))).all())
    db.execute(
        insert(BookAuthor),
        [
            {"book_id": book_id, "author_id": authors[author.name], "position": position}
            for book_id, book in books
            for position, author in enumerate(book.authors)
        ],
    )
    filed = [{"book_id": book_id, "subject_id": subjects[name]} for book_id, book in books for name in book.subjects]
    if filed:
        db.execute(insert(BookSubject), filed)
    search.write(db, {book_id: keys.search_words(book) for book_id, book in books})


def _audit(
    db: Connection, token_id: int | None, changes: list[tuple[str, str, NewBook | None, NewBook | None]]
) -> None:
    """Store an audit entry for each change: the token, the action, and the book before and after."""
    now = datetime.now(UTC)
    db.execute(
        insert(AuditEntry),
        [
            {
                "at": now,
                "token_id": token_id,
                "action": action,
                "slug": slug,
                "before": before and json.dumps(asdict(before), ensure_ascii=False),
                "after": after and json.dumps(asdict(after), ensure_ascii=False),
            }
            for action, slug, before, after in changes
        ],
    )
