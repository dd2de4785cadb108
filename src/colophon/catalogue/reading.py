"""Queries of the catalogue; `writing.py` changes it."""

from __future__ import annotations

from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import case, func, or_, select

from ..database.models import Author, Book, BookAuthor, BookSubject, CatalogueState, Subject
from . import search, statements
from .cache import LRUCache
from .languages import language_name
from .list_query import AUTHORS_PER_PAGE, PER_PAGE, RELEVANCE, ListQuery, ParameterError
from .text import slugify, sort_key, words
from .types import ERAS, AuthorRef, AuthorRow, CatalogueBook, Era, Facet, Page, SubjectRef, Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Select

    from .types import BookCard, BookDetail

P = ParamSpec("P")
T = TypeVar("T")


class PastTheEndError(LookupError):
    """The page is past the last one."""


_STATE = select(CatalogueState.__table__.c.state)
# Ranking weighs every book found, so a search that finds more than this many is sorted without it: books with all the
# words in their title, then the others, the latest additions first.
BROAD = 2000
LAST_CHARACTER = "\U0010ffff"

_cache: LRUCache[Any] = LRUCache(size=4_000_000)


def _cached(method: Callable[Concatenate[Catalogue, P], T]) -> Callable[Concatenate[Catalogue, P], T]:
    """Decorate a method whose result stays the same until the catalogue changes."""

    @wraps(method)
    def call(self: Catalogue, /, *arguments: P.args, **named: P.kwargs) -> T:
        key = (self.state, method.__name__, arguments)
        result: T = _cache.get_or_compute(key, lambda: method(self, *arguments, **named))
        return result

    return call


class Catalogue:
    """The catalogue, read through one database connection."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._state: str | None = None

    @property
    def state(self) -> str:
        """The name of the catalogue's state, which each change renews."""
        # Not a cached_property: until Python 3.12, one that waits for the database keeps all threads waiting.
        if self._state is None:
            self._state = self._db.scalar(_STATE) or "empty"
        return self._state

    def changed_at(self) -> datetime | None:
        """Return the time of the last change, None if there was none."""
        return self._db.scalar(select(CatalogueState.changed_at))

    # Facts about the whole

    @_cached
    def totals(self) -> Totals:
        """Return the numbers of books, authors and languages, and the span of years."""
        columns = func.count(), func.count(Book.language.distinct()), func.min(Book.year), func.max(Book.year)
        books, languages, first, last = self._db.execute(select(*columns)).one()
        return Totals(books, self._db.scalar(select(func.count(Author.id))) or 0, languages, first, last)

    @_cached
    def subjects(self) -> list[Facet]:
        """Return all subjects by name, with their numbers of books."""
        query = select(Subject.slug, Subject.name, func.count()).join(BookSubject, BookSubject.subject_id == Subject.id)
        return [Facet(*row) for row in self._db.execute(query.group_by(Subject.id).order_by(Subject.name))]

    @_cached
    def languages(self) -> list[Facet]:
        """Return all languages by their English names, with their numbers of books; `slug` is the code."""
        query = select(Book.language, func.count()).group_by(Book.language)
        named = (Facet(code, language_name(code), count) for code, count in self._db.execute(query))
        return sorted(named, key=lambda facet: facet.name)

    @_cached
    def eras(self) -> list[Era]:
        """Return the eras with their numbers of books."""
        return [
            replace(era, count=self._count(ListQuery(year_from=era.year_from, year_to=era.year_to))) for era in ERAS
        ]

    # Books

    def book(self, name: str) -> BookDetail | None:
        """Return the book with this slug, or with this ISBN-13 (13 digits)."""
        if "\0" in name:
            return None  # PostgreSQL refuses the query
        named = Book.isbn13 == name if name.isdigit() and len(name) == 13 else Book.slug == name
        found = self.details(self._db.scalars(select(Book.id).where(named)).all())
        return found[0] if found else None

    def slugs_by_isbn(self, isbns: Sequence[str]) -> dict[str, str]:
        """Return the slugs of the books with these ISBNs (13 digits), by ISBN."""
        having = select(Book.isbn13, Book.slug).where(Book.isbn13.in_(isbns))
        return {str(row[0]): row[1] for row in self._db.execute(having)} if isbns else {}

    def by_same_authors(self, book: CatalogueBook[Any], limit: int = 6) -> list[BookCard]:
        """Return other books by a book's authors, the oldest first."""
        same = select(BookAuthor.author_id).where(BookAuthor.book_id == book.id)
        theirs = select(BookAuthor.book_id).where(BookAuthor.author_id.in_(same))
        chosen = select(Book.id).where(Book.id.in_(theirs), Book.id != book.id)
        return self._cards(self._db.scalars(statements.ordered(chosen, "year").limit(limit)).all())

    def newest(self, limit: int) -> list[BookCard]:
        """Return the latest additions, the newest first."""
        return self._cards(self._db.scalars(statements.ordered(select(Book.id), "-added").limit(limit)).all())

    def page(self, query: ListQuery) -> Page[BookCard]:
        """Return one page of a list of books.

        Raises ParameterError for an unknown subject or language, PastTheEndError for a page past the last.
        """
        ids, total = self._found(query, PER_PAGE)
        return Page(self._cards(ids), total, query.page, PER_PAGE)

    def detailed_page(self, query: ListQuery, limit: int) -> Page[BookDetail]:
        """Return one page of `limit` books in detail. Raises as `page` does."""
        ids, total = self._found(query, limit)
        return Page(self.details(ids), total, query.page, limit)

    def walk(self, query: ListQuery, after: int, limit: int) -> tuple[list[BookDetail], int | None]:
        """Return the next books of a list by id, and the id after which to continue, None at the end.

        A walk meets each book exactly once, and books that are added meanwhile at its end, as ids only grow. Raises
        ParameterError as `page` does.
        """
        self._refuse_unknown(query)
        chosen = self._chosen(query).where(Book.id > after).order_by(Book.id).limit(limit)
        ids = self._db.scalars(chosen).all()
        # From the ids, not from the books, as one may be deleted before it is read.
        return self.details(ids), ids[-1] if len(ids) == limit else None

    def _found(self, query: ListQuery, limit: int) -> tuple[Sequence[int], int]:
        self._refuse_unknown(query)
        total = self._count(query)
        offset = (query.page - 1) * limit
        if offset and offset >= total:
            raise PastTheEndError
        return (self._ids(query, total, limit, offset) if total else []), total

    def _refuse_unknown(self, query: ListQuery) -> None:
        problems = []
        if query.subject and query.subject not in (subject.slug for subject in self.subjects()):
            problems.append(("subject", f"There is no subject ‘{query.subject}’."))
        if query.language and query.language not in (language.slug for language in self.languages()):
            problems.append(("language", f"There is no book in the language ‘{query.language}’."))
        if problems:
            raise ParameterError(problems)

    @_cached
    def author(self, name: str) -> AuthorRef | None:
        """Return the author with this name or slug."""
        if "\0" in name:
            return None  # PostgreSQL refuses the query
        columns = (Author.slug, Author.name, Author.original_name, Author.sort_name)
        # A name without letters has a slug that says nothing.
        named = or_(Author.slug == slugify(name), Author.name == name) if words(name) else Author.name == name
        row = self._db.execute(select(*columns).where(named)).first()
        return AuthorRef(*row) if row else None

    def slugs(self, page: int, per_page: int) -> Sequence[str]:
        """Return the slugs of one page of the books by id, for the sitemap."""
        return self._db.scalars(select(Book.slug).order_by(Book.id).limit(per_page).offset((page - 1) * per_page)).all()

    def _count(self, query: ListQuery, column: str | None = None) -> int:
        """Return how many books a query selects; with a column of the index, those whose column has all the words."""
        return self._count_chosen(replace(query, sort="", page=0), column)

    @_cached
    def _count_chosen(self, query: ListQuery, column: str | None) -> int:
        return self._db.scalar(select(func.count()).select_from(self._chosen(query, column).subquery())) or 0

    def _ids(self, query: ListQuery, total: int, limit: int, offset: int) -> Sequence[int]:
        """Return the ids of one page of the books that a query selects, in its order."""
        if query.sort != RELEVANCE:
            # Walking the order's index and testing each book reads (offset + limit) / share books; sorting reads all.
            # PostgreSQL chooses between the two by itself.
            walk = self._db.dialect.name == "sqlite" and (offset + limit) * self.totals().books < total * total
            return self._db.scalars(
                statements.ordered(self._chosen(query, walk=walk), query.sort).limit(limit).offset(offset)
            ).all()
        if total <= BROAD:
            text = query.q or ""
            same_title_first = case((Book.title_key == sort_key(text), 0), else_=1)
            best_first = same_title_first, search.rank(self._db, text), search.index.c.rowid
            ranked = self._chosen(query, rank=True).order_by(*best_first)
            return self._db.scalars(ranked.limit(limit).offset(offset)).all()
        in_title = self._count(query, "title")
        newest_first = search.index.c.rowid.desc()
        ids: list[int] = []
        if offset < in_title:
            titles = self._chosen(query, "title").order_by(newest_first)
            ids += self._db.scalars(titles.limit(limit).offset(offset))
        if len(ids) < limit:
            others = self._chosen(query, search.ELSEWHERE).order_by(newest_first)
            ids += self._db.scalars(others.limit(limit - len(ids)).offset(max(0, offset - in_title)))
        return ids

    def _cards(self, ids: Sequence[int]) -> list[BookCard]:
        """Return these books, in this order, with their authors, in one query."""
        return self._books(ids)

    def details(self, ids: Sequence[int]) -> list[BookDetail]:
        """Return these books in detail, in this order, in two queries.

        They are not cached, so that a write can call this in its transaction.
        """
        books: list[BookDetail] = self._books(ids)
        filed = (
            select(BookSubject.book_id, Subject.slug, Subject.name)
            .join(Subject, Subject.id == BookSubject.subject_id)
            .where(BookSubject.book_id.in_(ids))
            .order_by(Subject.name)
        )
        by_id = {book.id: book for book in books}
        for book_id, slug, name in self._db.execute(filed) if books else ():
            if book_id in by_id:  # it may have been deleted since
                by_id[book_id].subjects.append(SubjectRef(slug, name))
        return books

    def _books(self, ids: Sequence[int]) -> list[CatalogueBook[Any]]:
        books: dict[int, CatalogueBook[Any]] = {}
        for slug, name, original_name, sort_name, *values in self._db.execute(statements.READ_BOOKS, {"ids": ids}):
            if values[0] not in books:
                own = dict(zip(statements.BOOK_COLUMNS, values, strict=True))
                books[values[0]] = CatalogueBook(**own, authors=[], subjects=[])
            books[values[0]].authors.append(AuthorRef(slug, name, original_name, sort_name))
        # One may have been deleted since its id was found.
        return [books[book_id] for book_id in ids if book_id in books]

    def _chosen(
        self, query: ListQuery, column: str | None = None, *, rank: bool = False, walk: bool = False
    ) -> Select[int]:
        author = self.author(query.author) if query.author else None
        return statements.chosen(self._db, query, author, column, rank=rank, walk=walk)

    # Authors

    @_cached
    def letters(self) -> list[tuple[str, int]]:
        """Return the first letters of the authors' filing names, each with its number of authors."""
        letter = func.substr(Author.sort_key, 1, 1)
        query = select(letter, func.count()).group_by(letter).order_by(letter)
        return [(str(row[0]), row[1]) for row in self._db.execute(query)]

    def authors(self, letter: str | None, page: int) -> Page[AuthorRow]:
        """Return one page of the authors by filing name, of all or of those that begin with a folded letter.

        Raises PastTheEndError.
        """
        letters = dict(self.letters())
        total = letters.get(letter, 0) if letter else sum(letters.values())
        offset = (page - 1) * AUTHORS_PER_PAGE
        if offset and offset >= total:
            raise PastTheEndError
        if not total:
            return Page([], 0, page, AUTHORS_PER_PAGE)
        query = statements.author_rows()
        if letter:
            query = query.where(Author.sort_key >= letter, Author.sort_key < letter + LAST_CHARACTER)
        query = query.order_by(Author.sort_key, Author.id).limit(AUTHORS_PER_PAGE).offset(offset)
        return Page([AuthorRow(*row) for row in self._db.execute(query)], total, page, AUTHORS_PER_PAGE)

    def author_row(self, slug: str) -> AuthorRow | None:
        """Return the author with this slug, with the number of their books."""
        if "\0" in slug:
            return None
        row = self._db.execute(statements.author_rows().where(Author.slug == slug)).one_or_none()
        return AuthorRow(*row) if row else None
