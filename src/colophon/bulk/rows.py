"""What the readers of all formats have in common: a row of a file, and the places in it that can be wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from .problems import Problem, UnreadableError, excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]
"""Leads to a value within a book, as BookSchema reads it: ("authors", 0, "name")."""


@dataclass(slots=True)
class Row:
    """One book as a file has it. `number` is the line that it begins on, `cells` are a CSV file's by column.

    `fields` is what BookSchema is to read, None where `problems` say that there is nothing to be read.
    """

    number: int
    fields: dict[str, Any] | None
    cells: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class Reader(Protocol):
    """Iterates over the rows of a file. Raises UnreadableError where it cannot go on."""

    def __iter__(self) -> Iterator[Row]: ...

    def problem(self, row: Row, path: Path, reason: str) -> Problem:
        """Return what is wrong with one value of a row, in the file's own words."""
        ...


def unread(number: int, reason: str, value: str | None = None) -> Row:
    """Return a row of which nothing can be read."""
    return Row(number, None, problems=[Problem(number, None, None if value is None else excerpt(value), reason)])


def empty() -> UnreadableError:
    """Return the error of a file that has no row, not even a header."""
    return UnreadableError(Problem(None, None, None, "The file is empty."))
