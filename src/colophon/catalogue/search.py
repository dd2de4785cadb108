"""The full-text index: FTS5 on SQLite, a GIN index of tsvectors on PostgreSQL, behind the same functions.

Both hold the folded words of `text.words`, so that neither needs to know a language or a script. The table has one row
per book, and `rowid` is the book's id. SQLAlchemy cannot describe the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Float, cast, column, delete, false, func, insert, table, type_coerce
from sqlalchemy.dialects.postgresql import ARRAY, REAL, TSQUERY, TSVECTOR

from ..database.models import SEARCH_TABLE
from .text import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Connection

COLUMNS = ("title", "authors", "subjects", "description")
ELSEWHERE = "elsewhere"
_WEIGHTS = (10.0, 6.0, 3.0, 1.0)  # of the columns, in ranking; SQLite keeps them in the index itself

index = table(
    SEARCH_TABLE,
    column("rowid"),
    *map(column, COLUMNS),
    column("rank"),
    column(SEARCH_TABLE),
    column("document", TSVECTOR),
)


class Dialect(Protocol):
    """The full-text search of one kind of database."""

    def row(self, texts: Mapping[str, str]) -> dict[str, str]:
        """Return a row's values: `texts` has each column's words, separated by spaces."""

    def matches(self, found: list[str], column: str | None, *, ranked: bool) -> ColumnElement[bool]:
        """Return the condition that a book has every word, or a word that begins with it."""

    def rank(self, found: list[str]) -> ColumnElement[float]:
        """Return the rank to sort the found books by, the best first."""


def write(db: Connection, books: Mapping[int, Mapping[str, str]]) -> None:
    """Index books, by their ids, which the index must not hold yet; each column's words are separated by spaces."""
    dialect = _of(db)
    db.execute(insert(index), [{"rowid": book} | dialect.row(texts) for book, texts in books.items()])


def forget(db: Connection, book: int) -> None:
    """Remove a book from the index, if it is there."""
    db.execute(delete(index).where(index.c.rowid == book))


def matches(db: Connection, text: str, column: str | None = None, *, ranked: bool = False) -> ColumnElement[bool]:
    """Return the condition that a book has every word of text, or a word that begins with it.

    `column` is one of COLUMNS, or ELSEWHERE for books whose title alone does not have them all. `ranked` must be set
    for books that are sorted by `rank`; it finds the same ones.
    """
    found = _different_words(text)
    return _of(db).matches(found, column, ranked=ranked) if found else false()


def rank(db: Connection, text: str) -> ColumnElement[float]:
    """Return the rank to sort the books that match text by, the best first, a whole word before longer ones."""
    return _of(db).rank(_different_words(text))


def _different_words(text: str) -> list[str]:
    """Return the words of a search, each once: its repetitions find nothing else, and each cost as much again."""
    return list(dict.fromkeys(words(text)))


class _SQLite:
    """An FTS5 table; its query language: https://www.sqlite.org/fts5.html#full_text_query_syntax."""

    def row(self, texts: Mapping[str, str]) -> dict[str, str]:
        return dict(texts)

    def matches(self, found: list[str], column: str | None, *, ranked: bool) -> ColumnElement[bool]:
        # The whole word beside its prefix finds the same books, but ranks the whole word first.
        terms = " AND ".join(
            f'"{word}"' if _is_whole(word) else f'("{word}" OR "{word}" *)' if ranked else f'"{word}" *'
            for word in found
        )
        if column == ELSEWHERE:
            terms = f"({terms}) NOT title : ({terms})"
        elif column:
            terms = f"{column} : ({terms})"
        return index.c[SEARCH_TABLE].op("MATCH", is_comparison=True)(terms)

    def rank(self, found: list[str]) -> ColumnElement[float]:  # noqa: ARG002 -- FTS5 ranks by the match itself
        return type_coerce(index.c.rank, Float)


class _PostgreSQL:
    """A tsvector whose weight letters stand for the columns.

    Vectors and queries are written as literals, not parsed from text: the server's parsers split some scripts wrongly,
    and differently for each locale. https://www.postgresql.org/docs/current/datatype-textsearch.html
    """

    def __init__(self) -> None:
        self._letters = dict(zip(COLUMNS, "ABCD", strict=True))
        # From D to A, at most 1.
        self._weights = cast([weight / max(_WEIGHTS) for weight in reversed(_WEIGHTS)], ARRAY(REAL))

    def row(self, texts: Mapping[str, str]) -> dict[str, str]:
        lettered = ((word, self._letters[name]) for name in COLUMNS for word in texts[name].split())
        # No two words share a position, or one would lose its letter; positions above 16,383 count as that one.
        lexemes = (f"{_quoted(word)}:{place}{letter}" for place, (word, letter) in enumerate(lettered, start=1))
        return {"document": " ".join(lexemes)}

    def matches(self, found: list[str], column: str | None, *, ranked: bool) -> ColumnElement[bool]:  # noqa: ARG002
        anywhere, title = self._all(found, ""), self._all(found, self._letters["title"])
        if column == ELSEWHERE:
            terms = f"({anywhere}) & !({title})"
        else:
            terms = self._all(found, self._letters[column]) if column else anywhere
        return index.c.document.op("@@", is_comparison=True)(cast(terms, TSQUERY))

    def rank(self, found: list[str]) -> ColumnElement[float]:
        # Two queries, as ts_rank does not tell a word from its prefix within one. Words joined by "or" add up, as in
        # FTS5's bm25; joined by "and", ts_rank would weigh their distance.
        begun = " | ".join(_begun(word) for word in found)
        whole = " | ".join(map(_quoted, found))
        return -(self._weighed(begun) + self._weighed(whole))

    def _weighed(self, terms: str) -> ColumnElement[float]:
        divided_by_length = 1  # by its logarithm: a word weighs more in a short record
        return func.ts_rank(self._weights, index.c.document, cast(terms, TSQUERY), divided_by_length, type_=Float)

    @staticmethod
    def _all(found: list[str], letter: str) -> str:
        return " & ".join(_begun(word, letter) for word in found)


def _is_whole(word: str) -> bool:
    """Return True for a word that is not a prefix too: one Latin letter begins nearly every book."""
    return len(word) == 1 and word.isascii()


def _begun(word: str, letter: str = "") -> str:
    labels = letter if _is_whole(word) else f"*{letter}"
    return f"{_quoted(word)}:{labels}" if labels else _quoted(word)


def _quoted(word: str) -> str:
    """Return a word as a lexeme's literal, cut to its limit (2,046 bytes) in the index and in queries alike."""
    escaped = word[:LEXEME_LENGTH].replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


LEXEME_LENGTH = 500
_DIALECTS: dict[str, Dialect] = {"sqlite": _SQLite(), "postgresql": _PostgreSQL()}


def _of(db: Connection) -> Dialect:
    return _DIALECTS[db.dialect.name]
