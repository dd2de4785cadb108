"""The tables. Migrations create them; a test compares the two. Only `catalogue/` and `access/` import them."""

from datetime import UTC, datetime

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# The full-text index, which differs between the databases: the migrations make it, catalogue/search.py describes it.
SEARCH_TABLE = "book_search"


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored in UTC even on a database without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the value to store."""
        return value.astimezone(UTC) if value else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the stored value as an aware datetime."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# Compared by code point on both databases, whatever the server's locale, so that both sort the same way.
PlainText = Text().with_variant(Text(collation="C"), "postgresql")


class Base(DeclarativeBase):
    """The base of all models."""

    # SQLite's batch migrations can change only constraints that have a name.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: PlainText, datetime: UTCDateTime}  # noqa: RUF012 -- SQLAlchemy's declared attribute


class CatalogueState(Base):
    """One row: the name of the catalogue's state. Every change gives it a new random one."""

    __tablename__ = "catalogue"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str]
    changed_at: Mapped[datetime]


class Book(Base):
    """A book, without its authors and subjects."""

    __tablename__ = "books"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    subtitle: Mapped[str | None]
    original_title: Mapped[str | None]
    year: Mapped[int] = mapped_column(doc="First publication; negative before the common era, never 0.")
    circa: Mapped[bool] = mapped_column(doc="True if the year is approximate.")
    language: Mapped[str] = mapped_column(doc="ISO 639-1 code of the original, or ISO 639-3 where there is none.")
    publisher: Mapped[str | None]
    pages: Mapped[int | None]
    isbn13: Mapped[str | None] = mapped_column(unique=True, doc="13 digits, no hyphens.")
    description: Mapped[str]
    title_key: Mapped[str] = mapped_column(doc="Sort key of the title; see text.sort_key.")
    author_key: Mapped[str] = mapped_column(doc="Sort key of the first author, then of the title.")
    added_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint("year <> 0", name="year_is_not_zero"),
        CheckConstraint("pages > 0", name="pages_are_positive"),
        Index(None, "title_key", "id"),
        Index(None, "author_key", "id"),
        Index(None, "year", "id"),
        Index(None, "added_at", "id"),
        Index(None, "language", "title_key", "id"),
        # An id is never reused, so that a walk by id meets the books that are added meanwhile.
        {"sqlite_autoincrement": True},
    )


class Author(Base):
    """An author, one for all of their books (authority control)."""

    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(unique=True, doc="Identifies the author.")
    sort_name: Mapped[str]
    original_name: Mapped[str | None] = mapped_column(doc="The name in its own script, where that is not Latin.")
    sort_key: Mapped[str] = mapped_column(doc="Sort key: sort_name, folded.")

    __table_args__ = (Index(None, "sort_key", "id"),)


class BookAuthor(Base):
    """The link between a book and an author; `position` is the place on the title page."""

    __tablename__ = "book_authors"
    book_id: Mapped[int] = mapped_column(ForeignKey("books.id", ondelete="CASCADE"), primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"), primary_key=True)
    position: Mapped[int]

    __table_args__ = (Index(None, "author_id", "book_id"),)


class Subject(Base):
    """A subject of books."""

    __tablename__ = "subjects"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]


class BookSubject(Base):
    """The link between a book and a subject."""

    __tablename__ = "book_subjects"
    subject_id: Mapped[int] = mapped_column(ForeignKey("subjects.id"), primary_key=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("books.id", ondelete="CASCADE"), primary_key=True)

    __table_args__ = (Index(None, "book_id", "subject_id"),)


class Token(Base):
    """A token for a program. Only its hash is stored.

    A row is never deleted, and only commands make or revoke a token: so it records by itself what `audit` would.
    """

    __tablename__ = "tokens"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]
    scope: Mapped[str] = mapped_column(doc="'read' or 'write'; the latter includes the former.")
    hash: Mapped[str] = mapped_column(doc="SHA-256 of the secret, in hexadecimal.")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class AuditEntry(Base):
    """A change of a book: by which token (none: the command line), and the book before and after."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    at: Mapped[datetime]
    token_id: Mapped[int | None] = mapped_column(ForeignKey("tokens.id"))
    action: Mapped[str] = mapped_column(doc="'create', 'replace' or 'delete'.")
    slug: Mapped[str]
    before: Mapped[str | None] = mapped_column(doc="JSON, as the API takes a book.")
    after: Mapped[str | None]

    __table_args__ = (Index(None, "slug", "id"),)


class IdempotencyKey(Base):
    """The key of a POST that may be repeated, and the response to the first one."""

    __tablename__ = "idempotency_keys"
    token_id: Mapped[int] = mapped_column(ForeignKey("tokens.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(doc="Hash of the request's body.")
    slug: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (Index(None, "created_at"),)


class Allowance(Base):
    """A client's use of a rate limit in one window of time."""

    __tablename__ = "allowances"
    key: Mapped[str] = mapped_column(primary_key=True)
    window: Mapped[int] = mapped_column(doc="Number of the window since 1970.")
    used: Mapped[int]
