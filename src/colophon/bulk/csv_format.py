"""CSV (RFC 4180) as spreadsheets write it, also with ; or tab instead of the comma."""

from __future__ import annotations

import csv
from itertools import chain
from typing import TYPE_CHECKING, Any

from ..catalogue.text import excerpt
from . import cells, columns
from .problems import Problem, UnreadableError
from .rows import Row, empty, unread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .lines import Lines
    from .rows import Path

_READ: dict[str, Callable[[str], Any]] = {
    "language": cells.read_language,
    "pages": cells.read_whole_number,
    "isbn13": cells.read_isbn,
}
# The columns beside `authors` that hold a field of each author, and its name in BookSchema.
_PARTS_OF_AUTHORS = {"author_sort_names": "sort", "author_original_names": "original_name"}
_COLUMNS_OF_PARTS = {part: column for column, part in _PARTS_OF_AUTHORS.items()}
# After a comma, these do not mean that the family name comes first.
_SUFFIXES = {"jr", "jr.", "sr", "sr.", "ii", "iii", "iv", "ph.d.", "phd", "m.d.", "md"}

_UNCLOSED = "A quotation mark that opens a cell here is not closed"


class CsvReader:
    """A Reader of CSV. The first line that is not empty is the header; rows of empty cells are skipped.

    A row's number is that of the line on which it begins, as an editor shows it.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._headers: dict[str, str] = {}

    def __iter__(self) -> Iterator[Row]:
        first = next((line for line in self._lines if line.strip()), None)
        if first is None:
            raise empty()
        delimiter = columns.delimiter_of(first)
        # Not strict, a quotation mark that is never closed would silently swallow the rest.
        rows = csv.reader(chain([first], self._lines), delimiter=delimiter, strict=True)
        start = self._lines.number
        header = True
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._misquoted(start, str(error))
            else:
                if header:
                    self._read_header(row, start)
                    header = False
                elif any(cell.strip() for cell in row):
                    yield self._row(start, row)
            if header:
                return
            start = self._lines.number + 1

    def problem(self, row: Row, path: Path, reason: str) -> Problem:
        """Return a problem with a value of a row, under the header of its column."""
        field, *inner = path
        if field == "authors" and len(inner) == 2 and inner[1] in _COLUMNS_OF_PARTS:
            field = _COLUMNS_OF_PARTS[str(inner[1])]
        if inner:
            reason = f"Item {int(inner[0]) + 1}: {reason[0].lower()}{reason[1:]}"
        return self._problem(row, str(field), reason)

    def _problem(self, row: Row, field: str, reason: str) -> Problem:
        value = row.cells.get(field)
        return Problem(row.number, excerpt(self._headers.get(field, field)), value and excerpt(value), reason)

    def _read_header(self, row: list[str], start: int) -> None:
        if wrong_byte := self._lines.take_wrong_byte():
            raise UnreadableError(Problem(start, None, None, wrong_byte))
        self._headers = columns.read_header(row, start)

    def _misquoted(self, start: int, error: str) -> Row:
        """Return a row that the csv module cannot read. Raises UnreadableError if it spans further rows."""
        end = self._lines.number
        if "new-line character" in error:
            reason = "Has a carriage return within a line. Save the file with line feeds (LF or CRLF)."
        elif "field larger" in error:
            reason = f"{_UNCLOSED}: the cell goes on for more than {csv.field_size_limit():,} characters."
        elif "unexpected end" in error:
            reason = f"{_UNCLOSED} before the end of the file."
        else:
            reason = 'Text follows the quotation mark that closes a cell; within a cell, write it twice ("").'
        if end > start or not self._headers:
            rest = f" The rows in between cannot be told apart, and nothing after row {end} was read." * (end > start)
            raise UnreadableError(Problem(start, None, None, reason + rest))
        self._lines.take_wrong_byte()
        return unread(start, reason)

    def _row(self, start: int, found: list[str]) -> Row:
        wrong_byte = self._lines.take_wrong_byte()
        if len(found) > len(self._headers):
            reason = f"Has {len(found)} cells, but the header has {len(self._headers)}."
            return unread(start, reason, found[len(self._headers)])
        given = {field: cell for field, cell in zip(self._headers, found, strict=False) if cell.strip()}
        row = Row(start, {}, given)
        if wrong_byte:
            field = next(
                (name for name, cell in given.items() if not cell.isprintable() and _has_wrong_byte(cell)), None
            )
            row.fields = None
            row.problems.append(
                self._problem(row, field, wrong_byte) if field else Problem(start, None, None, wrong_byte)
            )
        else:
            row.fields = self._fields(row)
        return row

    def _fields(self, row: Row) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for field, cell in row.cells.items():
            text = cells.read_text(cell)
            try:
                if field == "year":
                    fields["year"], about = cells.read_year(text)
                    if about:
                        fields["circa"] = True
                elif field == "circa":
                    fields["circa"] = cells.read_truth(text) or fields.get("circa", False)
                elif field == "subjects":
                    fields["subjects"] = [item for item in cells.read_list(cell) if item]
                elif field == "authors":
                    fields["authors"] = self._authors(row)
                elif field not in _PARTS_OF_AUTHORS:
                    fields[field] = _READ.get(field, str)(text)
            except ValueError as error:
                row.problems.append(self._problem(row, field, str(error)))
        return fields

    def _authors(self, row: Row) -> list[dict[str, str]]:
        """Return the authors that the parallel lists of a row describe; a shorter list leaves out the rest."""
        names = cells.read_list(row.cells["authors"])
        authors = [{"name": name} for name in names]
        for column, part in _PARTS_OF_AUTHORS.items():
            values = cells.read_list(row.cells.get(column, ""))
            if len(values) > len(names):
                reason = f"Has {len(values)} items, but there are {len(names)} authors."
                row.problems.append(self._problem(row, column, reason))
            for author, value in zip(authors, values, strict=False):
                if value:
                    author[part] = value
        return [_in_natural_order(author) for author in authors]


def written_lines(books: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a file of books, with the header first; each book is in BookSchema's form."""
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(columns.COLUMNS)
    # Without the byte order mark, a spreadsheet assumes an old encoding and garbles names.
    yield "\ufeff" + line.text
    for book in books:
        authors = book["authors"]
        row = book | {
            "authors": [author["name"] for author in authors],
            "author_sort_names": [author["sort"] for author in authors],
            "author_original_names": [author["original_name"] or "" for author in authors],
        }
        writer.writerow(_cell(row[column]) for column in columns.COLUMNS)
        yield line.text


class _Line:
    """A file for csv.writer that holds one line."""

    text = ""

    def write(self, text: str) -> None:
        """Replace the line."""
        self.text = text


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return cells.write_list(value) if any(value) else ""
    return cells.write_text(value) if isinstance(value, str) else str(value)


def _in_natural_order(author: dict[str, str]) -> dict[str, str]:
    """Turn the filing name 'Austen, Jane' into the name 'Jane Austen'.

    Only if there is no filing name beside it, and exactly one comma, which is not before a suffix such as 'Jr.'.
    """
    family, comma, given = author["name"].partition(",")
    family, given = family.strip(), given.strip()
    if "sort" in author or not comma or not family or not given or "," in given or given.casefold() in _SUFFIXES:
        return author
    return author | {"name": f"{given} {family}", "sort": f"{family}, {given}"}


def _has_wrong_byte(cell: str) -> bool:
    return any("\udc80" <= char <= "\udcff" for char in cell)
