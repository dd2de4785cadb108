"""JSON Lines (https://jsonlines.org): one object per line, as the API takes a book."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from ..catalogue.text import excerpt
from .problems import Problem
from .rows import Row, empty, unread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .lines import Lines
    from .rows import Path


class JsonLinesReader:
    """A Reader of JSON Lines. Empty lines are skipped."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[Row]:
        found = False
        for line in self._lines:
            found = found or not line.isspace()
            if wrong_byte := self._lines.take_wrong_byte():
                yield unread(self._lines.number, wrong_byte, line.strip())
            elif text := line.strip():
                yield _row(self._lines.number, text)
        if not found:
            raise empty()

    def problem(self, row: Row, path: Path, reason: str) -> Problem:
        """Return a problem with a value of a row, under its path."""
        value: Any = row.fields
        try:
            for step in path:
                value = value[step]
        except (LookupError, TypeError):
            shown = None  # the value is missing
        else:
            shown = excerpt(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        return Problem(row.number, excerpt(".".join(map(str, path))), shown, reason)


def written_lines(books: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of a file of books; each book is in BookSchema's form."""
    for book in books:
        yield json.dumps(book, ensure_ascii=False) + "\n"


def _row(number: int, text: str) -> Row:
    try:
        fields = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        if error.pos >= len(text) or error.msg.startswith("Unterminated string"):
            return unread(number, "Ends in the middle of its JSON object.", text)
        return unread(number, f"Is not a JSON object: {error.msg} at character {error.pos + 1}.", text)
    except (ValueError, RecursionError) as error:
        return unread(number, f"Is not valid JSON: {error}.", text)
    if isinstance(fields, dict):
        return Row(number, fields)
    hint = " To convert a list: jq -c '.[]'." if isinstance(fields, list) else ""
    return unread(number, f"Is not a JSON object; each line must have one.{hint}", text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
