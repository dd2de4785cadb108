"""What the catalogue is given, and what its questions are answered with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

T = TypeVar("T")


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


@dataclass(slots=True)
class BookCard:
    """A book as lists show it. `year` is negative before the common era."""

    id: int
    slug: str
    title: str
    subtitle: str | None
    original_title: str | None
    year: int
    circa: bool
    language: str
    description: str
    added_at: datetime
    authors: list[AuthorRef] = field(default_factory=list)

    @property
    def title_language(self) -> str | None:
        """The code of the title's language where it is surely not English, for browsers that read it out."""
        foreign = self.language != "en" and not self.original_title and not self.title.isascii()
        return self.language if foreign and any(char > "\x7f" and char.isalpha() for char in self.title) else None


@dataclass(slots=True, kw_only=True)
class BookDetail(BookCard):
    """A book as its own page shows it."""

    publisher: str | None = None
    pages: int | None = None
    isbn13: str | None = None
    subjects: list[SubjectRef] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class NewAuthor:
    """A person, by name. Without a filing name they keep theirs, or get one that is worked out."""

    name: str
    sort: str | None = None
    original_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBook:
    """A book to be added. `year` is negative before the common era, never 0; `isbn13` is 13 digits.

    Its fields stand in the order in which the API and files have them.
    """

    title: str
    subtitle: str | None = None
    original_title: str | None = None
    authors: list[NewAuthor]
    year: int
    circa: bool = False
    language: str
    subjects: list[str]
    publisher: str | None = None
    pages: int | None = None
    isbn13: str | None = None
    description: str

    def __post_init__(self) -> None:
        if not self.authors:
            raise ValueError("A book has at least one author.")


def as_written(book: BookDetail) -> NewBook:
    """Return a book of the catalogue in the form in which it could be written again."""
    return NewBook(
        title=book.title,
        subtitle=book.subtitle,
        original_title=book.original_title,
        authors=[NewAuthor(author.name, author.sort_name, author.original_name) for author in book.authors],
        year=book.year,
        circa=book.circa,
        language=book.language,
        subjects=[subject.name for subject in book.subjects],
        publisher=book.publisher,
        pages=book.pages,
        isbn13=book.isbn13,
        description=book.description,
    )


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
