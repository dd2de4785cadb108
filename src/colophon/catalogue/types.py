"""What the catalogue is given, and what its questions are answered with."""

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
    slug: str
    name: str
    original_name: str | None
    sort_name: str


class SubjectRef(NamedTuple):
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class AuthorRow:
    slug: str
    name: str
    original_name: str | None
    sort: str
    count: int


@dataclass(frozen=True, slots=True)
class Facet:
    """A value that books can be chosen by, and how many books there are of it."""

    slug: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Era:
    """A span of years, both ends included, None for open; and how many books are of it."""

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
    books: int
    authors: int
    languages: int
    first_year: int | None
    last_year: int | None


@dataclass(frozen=True, slots=True)
class NewAuthor:
    """A person to be stored. `sort`, the filing name, is kept or worked out where it is None."""

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
        """The code of the title's language where it is surely not English, for browsers that read it out."""
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
    """One page of a list; `first` and `last` are the positions of its items in the whole, from 1."""

    items: Sequence[T]
    total: int
    page: int
    per_page: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.per_page))

    @property
    def first(self) -> int:
        return (self.page - 1) * self.per_page + 1 if self.total else 0

    @property
    def last(self) -> int:
        return min(self.page * self.per_page, self.total)
