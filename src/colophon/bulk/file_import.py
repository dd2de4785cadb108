"""Books from a file: all of it is checked first, then what is good is added, in one transaction.

The checks need no lock, so that a long or a wrong file keeps nobody from writing.
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
from .problems import UnreadableError
from .rows import Row
from .staged_books import StagedBooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    from ..catalogue.types import NewBook
    from .problems import Findings
    from .rows import Path, Reader

READERS: dict[str, type[CsvReader | JsonLinesReader]] = {"csv": CsvReader, "jsonl": JsonLinesReader}
AT_ONCE = 500
_SCHEMA = BookSchema()


class NothingAddedError(Exception):
    """The import was given up; the findings say why."""


class Import:
    """The import of one file. `rows` counts those that were read, `wrong` those of them that are left out."""

    def __init__(self, engine: Engine, file: BinaryIO, file_format: str, findings: Findings) -> None:
        self.rows = 0
        self.wrong = 0
        self._engine = engine
        self._file = file
        self._format = file_format
        self._findings = findings
        self._checked = StagedBooks()

    def __enter__(self) -> Import:
        return self

    def __exit__(self, *_: object) -> None:
        self._checked.close()

    @property
    def good(self) -> int:
        return len(self._checked)

    def check(self, progress: Callable[[int], None] = lambda _: None) -> None:
        """Read the whole file and keep what is good of it; `progress` hears how many bytes were read.

        Raises NothingAddedError when the file cannot be read to its end, OSError, and sqlite3.Error when the disk is
        full.
        """
        self._reader: Reader = READERS[self._format](Lines(self._file, progress))
        rows = iter(self._reader)
        with self._engine.connect() as db:
            catalogue = Catalogue(db)
            try:
                while some := list(islice(rows, AT_ONCE)):
                    self._check(some, catalogue)
            except UnreadableError as error:
                self._findings.add(error.problems)
                raise NothingAddedError from None

    def add(self, *, skip_errors: bool, progress: Callable[[int], None] = lambda _: None) -> int:
        """Add the good books in one transaction and return how many; `progress` hears how many it came by.

        A book whose ISBN the catalogue was given since the check is left out with `skip_errors`; without it,
        NothingAddedError is raised.
        """

        def refused(book: NewBook, slug: str) -> None:
            isbn = str(book.isbn13)
            row = Row(self._checked.row_of(isbn) or 0, {"isbn13": isbn}, {"isbn13": isbn})
            self._findings.add([self._reader.problem(row, ("isbn13",), _taken_by(slug))])
            self.wrong += 1
            if not skip_errors:
                raise NothingAddedError

        return writing.add_books(self._engine, self._checked, progress, refused=refused)

    def _check(self, rows: list[Row], catalogue: Catalogue) -> None:
        loaded = [(row, *_load(self._reader, row)) for row in rows]
        taken = catalogue.slugs_by_isbn([isbn for _, _, isbn in loaded if isbn])
        for row, book, isbn in loaded:
            if isbn and (slug := taken.get(isbn)):
                row.problems.append(self._reader.problem(row, ("isbn13",), _taken_by(slug)))
            elif isbn and (other := self._checked.row_of(isbn)):
                row.problems.append(
                    self._reader.problem(row, ("isbn13",), f"The book in row {other} has this ISBN, too.")
                )
            self.rows += 1
            if row.problems or book is None:
                self.wrong += 1
                self._findings.add(row.problems)
            else:
                self._checked.add(row.number, book)


def _load(reader: Reader, row: Row) -> tuple[NewBook | None, str | None]:
    """Return the book of a row, None when it is wrong, and its ISBN in 13 digits, as far as that is good."""
    if row.fields is None:
        return None, None
    try:
        book: NewBook = _SCHEMA.load(row.fields)
    except ValidationError as error:
        said = {problem.column for problem in row.problems}
        found = [reader.problem(row, path, message) for path, message in _flat(error.messages)]
        # What could not be read is not also said to be missing.
        row.problems += [problem for problem in found if problem.column not in said]
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
    return f"The book ‘{slug}’ of the catalogue has this ISBN already."
