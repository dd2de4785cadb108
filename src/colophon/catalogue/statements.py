"""SQL statements that select, sort and read books; `reading.py` executes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import UnaryExpression, asc, bindparam, desc, func, select
from sqlalchemy.sql.operators import custom_op

from ..database.models import Author, Book, BookAuthor, BookSubject, Subject
from . import search
from .types import COLUMNS

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Select
    from sqlalchemy.orm import InstrumentedAttribute

    from .list_query import ListQuery
    from .types import AuthorRef

T = TypeVar("T")

_book, _author, _link = (model.__table__.c for model in (Book, Author, BookAuthor))
BOOK_COLUMNS = ("id", "slug", "added_at", *COLUMNS)
# Reads books by their `ids`, a row for each author: the author's four columns, then the book's. It is made once, and of
# plain tables: SQLAlchemy takes twice as long to execute a statement that is made of models anew.
READ_BOOKS: Select[*tuple[Any, ...]] = (
    select(_author.slug, _author.name, _author.original_name, _author.sort_name, *(_book[key] for key in BOOK_COLUMNS))
    .select_from(Book.__table__)
    .join(BookAuthor.__table__, _link.book_id == _book.id)
    .join(Author.__table__, _author.id == _link.author_id)
    .where(_book.id.in_(bindparam("ids", expanding=True)))
    .order_by(_book.id, _link.position)
)
# Each order is by one indexed column, ties by id, both in the same direction.
_ORDERS: dict[str, tuple[InstrumentedAttribute[Any], bool]] = {
    "title": (Book.title_key, False),
    "author": (Book.author_key, False),
    "year": (Book.year, False),
    "-year": (Book.year, True),
    "-added": (Book.added_at, True),
}


def chosen(
    db: Connection,
    query: ListQuery,
    author: AuthorRef | None,
    column: str | None = None,
    *,
    rank: bool = False,
    walk: bool = False,
) -> Select[int]:
    """Return a statement for the ids of the books that a query selects; `author` is the one that it names, if any.

    With a `column` of the index, only books whose column has all the words of the search. `rank` is for an order by
    rank. `walk` makes SQLite walk the index of the order instead of that of a filter.
    """
    as_is = _unindexed if walk else _indexed
    books = select(Book.id)
    if query.q and walk:
        found = select(search.index.c.rowid).where(search.matches(db, query.q, column))
        books = books.where(_unindexed(Book.id).in_(found))
    elif query.q:
        books = books.join(search.index, search.index.c.rowid == Book.id).where(
            search.matches(db, query.q, column, ranked=rank)
        )
    if query.author:
        if author:
            their_id = select(Author.id).where(Author.slug == author.slug).scalar_subquery()
            theirs = select(BookAuthor.book_id).where(BookAuthor.author_id == their_id)
        else:
            theirs = select(search.index.c.rowid).where(search.matches(db, query.author, "authors"))
        books = books.where(as_is(Book.id).in_(theirs))
    if query.subject:
        subject = select(Subject.id).where(Subject.slug == query.subject).scalar_subquery()
        of_subject = select(BookSubject.book_id).where(BookSubject.subject_id == subject)
        if walk:
            books = books.where(of_subject.where(BookSubject.book_id == _unindexed(Book.id)).exists())
        else:
            books = books.where(Book.id.in_(of_subject))
    if query.language:
        books = books.where(as_is(Book.language) == query.language)
    if query.year_from is not None:
        books = books.where(as_is(Book.year) >= query.year_from)
    if query.year_to is not None:
        books = books.where(as_is(Book.year) <= query.year_to)
    return books


def ordered(books: Select[int], sort: str) -> Select[int]:
    """Return the statement with one of the orders of a list, other than by relevance."""
    column, descending = _ORDERS[sort]
    direction = desc if descending else asc
    return books.order_by(direction(column), direction(Book.id))


def author_rows() -> Select[str, str, str | None, str, int]:
    """Return a statement for authors with their numbers of books, as lists show them."""
    count = select(func.count()).where(BookAuthor.author_id == Author.id).scalar_subquery()
    return select(Author.slug, Author.name, Author.original_name, Author.sort_name, count)


def _indexed(column: InstrumentedAttribute[T]) -> ColumnElement[T]:
    return column.expression


def _unindexed(column: InstrumentedAttribute[T]) -> ColumnElement[T]:
    """Return the column as an expression for which SQLite uses no index."""
    return UnaryExpression(column.expression, operator=custom_op("+"), type_=column.type)
