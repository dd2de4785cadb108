"""Rows of a file, and the interface of the readers of all formats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ..catalogue.text import excerpt
from .problems import Problem, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]
"""The path of a value in a book, as BookSchema has it: ("authors", 0, "name")."""


@dataclass(slots=True)
class Row:
    """One book in a file. `number` is the line on which it begins, `cells` are those of a CSV file by column.

    `fields` is the input for BookSchema, None if the row cannot be read, as `problems` say.
    """

    number: int
    fields: dict[str, Any] | None
    cells: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class Reader(Protocol):
    """An iterator over the rows of a file. Raises UnreadableError if the rest cannot be read."""

    def __iter__(self) -> Iterator[Row]: ...

    def problem(self, row: Row, path: Path, reason: str) -> Problem:
        """Return a problem with a value of a row, in the terms of the file."""
        ...


def unread(number: int, reason: str, value: str | None = None) -> Row:
    """Return a row that cannot be read."""
    return Row(number, None, problems=[Problem(number, None, None if value is None else excerpt(value), reason)])


def empty() -> UnreadableError:
    """Return the error for a file without a row or a header."""
    return UnreadableError(Problem(None, None, None, "The file is empty."))
