"""Import of books from a file: all of it is checked first, then the valid books are added in one transaction.

The checks take no lock, so that a long or a wrong file does not block other writers.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from marshmallow import ValidationError

from ..catalogue import writing
from ..catalogue.book_schema import BookSchema
from ..catalogue.reading import Catalogue
from .csv_format import CsvReader
from .json_lines import JsonLinesReader
from .lines import Lines
from .problems import UnreadableError, first
from .rows import Row
from .staged_books import StagedBooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    from ..catalogue.types import NewBook
    from .problems import Findings
    from .rows import Path, Reader

READERS: dict[str, type[CsvReader | JsonLinesReader]] = {"csv": CsvReader, "jsonl": JsonLinesReader}
BATCH = 500
_SCHEMA = BookSchema()


class NothingAddedError(Exception):
    """The import was cancelled; the findings say why."""


class Import:
    """The import of one file. `rows` counts those that were read, `wrong` those with problems."""

    def __init__(self, engine: Engine, file: BinaryIO, file_format: str, findings: Findings) -> None:
        self.rows = 0
        self.wrong = 0
        self._engine = engine
        self._file = file
        self._format = file_format
        self._findings = findings
        self._staged = StagedBooks()

    def __enter__(self) -> Import:
        return self

    def __exit__(self, *_: object) -> None:
        self._staged.close()

    @property
    def good(self) -> int:
        """The number of valid books."""
        return len(self._staged)

    def check(self, progress: Callable[[int], None] = lambda _: None) -> None:
        """Read the whole file and stage its valid books. Calls `progress` with the bytes of each line.

        Raises NothingAddedError if the file cannot be read to its end, OSError, and sqlite3.Error if the disk is full.
        """
        self._reader: Reader = READERS[self._format](Lines(self._file, progress))
        rows = iter(self._reader)
        with self._engine.connect() as db:
            catalogue = Catalogue(db)
            try:
                while some := list(islice(rows, BATCH)):
                    self._check(some, catalogue)
            except UnreadableError as error:
                self._findings.add(error.problems)
                raise NothingAddedError from None

    def add(self, *, skip_errors: bool, progress: Callable[[int], None] = lambda _: None) -> int:
        """Add the valid books in one transaction and return their number. Calls `progress` with the size of each batch.

        A book whose ISBN was taken since the check is left out with `skip_errors`; without it, NothingAddedError is
        raised.
        """

        def refused(book: NewBook, slug: str) -> None:
            isbn = str(book.isbn13)
            row = Row(self._staged.row_of(isbn) or 0, {"isbn13": isbn}, {"isbn13": isbn})
            self._findings.add([self._reader.problem(row, ("isbn13",), _taken_by(slug))])
            self.wrong += 1
            if not skip_errors:
                raise NothingAddedError

        return writing.add_books(self._engine, self._staged, progress, refused=refused)

    def _check(self, rows: list[Row], catalogue: Catalogue) -> None:
        loaded = [(row, *_load(self._reader, row)) for row in rows]
        taken = catalogue.slugs_by_isbn([isbn for _, _, isbn in loaded if isbn])
        for row, book, isbn in loaded:
            if isbn and (slug := taken.get(isbn)):
                row.problems.append(self._reader.problem(row, ("isbn13",), _taken_by(slug)))
            elif isbn and (other := self._staged.row_of(isbn)):
                row.problems.append(
                    self._reader.problem(row, ("isbn13",), f"The book in row {other} has the same ISBN.")
                )
            self.rows += 1
            if row.problems or book is None:
                self.wrong += 1
                self._findings.add(row.problems)
            else:
                self._staged.add(row.number, book)


def _load(reader: Reader, row: Row) -> tuple[NewBook | None, str | None]:
    """Return the book of a row, None if it has problems, and its ISBN in 13 digits, None if it is not valid."""
    if row.fields is None:
        return None, None
    try:
        book: NewBook = _SCHEMA.load(row.fields)
    except ValidationError as error:
        known = {problem.column for problem in row.problems}
        found = [reader.problem(row, path, message) for path, message in _flat(error.messages)]
        # A value that could not be read is not reported as missing, too.
        row.problems += first([problem for problem in found if problem.column not in known])
        valid: dict[str, Any] = error.valid_data or {}  # type: ignore[assignment]  # one book is loaded, not a list
        return None, valid.get("isbn13")
    return book, book.isbn13


def _flat(messages: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    if isinstance(messages, dict):
        for step, nested in messages.items():
            yield from _flat(nested, path if step == "_schema" else (*path, step))
    else:
        yield path, " ".join(messages)


def _taken_by(slug: str) -> str:
    return f"The book ‘{slug}’ of the catalogue has the same ISBN."
