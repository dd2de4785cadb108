"""The types of the catalogue: books, authors, subjects and pages of a list."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Generic, NamedTuple, Never, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

T = TypeVar("T")
A = TypeVar("A")
S = TypeVar("S")


class AuthorRef(NamedTuple):
    """An author of a book."""

    slug: str
    name: str
    original_name: str | None
    sort_name: str


class SubjectRef(NamedTuple):
    """A subject of a book."""

    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class AuthorRow:
    """An author in the list of authors, with the number of their books."""

    slug: str
    name: str
    original_name: str | None
    sort: str
    count: int


@dataclass(frozen=True, slots=True)
class Facet:
    """A value to filter books by, with its number of books."""

    slug: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Era:
    """A span of years with its number of books; both ends are included, None is open."""

    label: str
    year_from: int | None
    year_to: int | None
    count: int = 0


ERAS = (
    Era("Antiquity", None, 499),
    Era("Middle Ages", 500, 1499),
    Era("16th and 17th centuries", 1500, 1699),
    Era("18th century", 1700, 1799),
    Era("19th century", 1800, 1899),
    Era("20th century", 1900, 1999),
    Era("21st century", 2000, None),
)


class Totals(NamedTuple):
    """Numbers about the whole catalogue."""

    books: int
    authors: int
    languages: int
    first_year: int | None
    last_year: int | None


@dataclass(frozen=True, slots=True)
class NewAuthor:
    """A person to be stored. Where `sort`, the filing name, is None, the stored one is kept, or one is derived."""

    name: str
    sort: str | None = None
    original_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookFields(Generic[A, S]):
    """The fields of a book, in the order in which the API and files have them.

    `year` is negative before the common era, never 0; `isbn13` is 13 digits. What reads, writes and exports books is
    derived from this list. A new field needs, beside its line here, a column in database/models.py and its rules in
    book_schema.py.
    """

    title: str
    subtitle: str | None = None
    original_title: str | None = None
    authors: list[A]
    year: int
    circa: bool = False
    language: str
    subjects: list[S]
    publisher: str | None = None
    pages: int | None = None
    isbn13: str | None = None
    description: str


FIELDS = tuple(field.name for field in fields(BookFields))
COLUMNS = tuple(name for name in FIELDS if name not in ("authors", "subjects"))  # in the book's own row


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueBook(BookFields[AuthorRef, S], Generic[S]):
    """A book as the catalogue holds it."""

    id: int
    slug: str
    added_at: datetime

    @property
    def title_language(self) -> str | None:
        """The code of the title's language where it is surely not English, for screen readers."""
        foreign = self.language != "en" and not self.original_title and not self.title.isascii()
        return self.language if foreign and any(char > "\x7f" and char.isalpha() for char in self.title) else None


BookCard = CatalogueBook[Never]
"""A book as lists show it, without its subjects."""
BookDetail = CatalogueBook[SubjectRef]
"""A book as its own page shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBook(BookFields[NewAuthor, str]):
    """A book to be stored."""

    def __post_init__(self) -> None:
        if not self.authors:
            raise ValueError("A book has at least one author.")

    @classmethod
    def of(cls, book: BookDetail) -> NewBook:
        """Return a book of the catalogue in the form in which it can be stored again."""
        authors = [NewAuthor(author.name, author.sort_name, author.original_name) for author in book.authors]
        subjects = [subject.name for subject in book.subjects]
        return cls(authors=authors, subjects=subjects, **{name: getattr(book, name) for name in COLUMNS})


@dataclass(slots=True)
class Page(Generic[T]):
    """One page of a list."""

    items: Sequence[T]
    total: int
    page: int
    per_page: int

    @property
    def pages(self) -> int:
        """The number of pages, at least 1."""
        return max(1, -(-self.total // self.per_page))

    @property
    def first(self) -> int:
        """The position of the first item in the list, 0 in an empty one."""
        return (self.page - 1) * self.per_page + 1 if self.total else 0

    @property
    def last(self) -> int:
        """The position of the last item in the list."""
        return min(self.page * self.per_page, self.total)
