"""The problems of a file of books, with their place and reason."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

SHOWN = 20
LONGEST_EXCERPT = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem. `row` is a line number, from 1; `column` is spelled as in the file.

    Without a row, the problem is with the whole file; without a column, with the whole row.
    """

    row: int | None
    column: str | None
    value: str | None
    reason: str

    def __str__(self) -> str:
        place = [f"row {self.row}"] if self.row else []
        if self.column is not None:
            place.append(f"column {printable(self.column)}")
        return f"{', '.join(place)}: {printable(self.reason)}" if place else printable(self.reason)


class UnreadableError(ValueError):
    """The rest of the file cannot be read, so nothing of it is imported: `problems` say why."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


@dataclass(slots=True)
class Findings:
    """The problems of a file: all are counted and written to `report`, the first are kept."""

    report: TextIO | None = None
    first: list[Problem] = field(default_factory=list)
    total: int = 0

    def add(self, problems: Iterable[Problem]) -> None:
        """Add problems."""
        for problem in problems:
            self.total += 1
            if len(self.first) < SHOWN:
                self.first.append(problem)
            if self.report is not None:
                self.report.write(json.dumps(asdict(problem), ensure_ascii=False) + "\n")


def excerpt(value: str) -> str:
    """Return the beginning of a value, short enough to print, with undecodable bytes replaced."""
    text = value.encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST_EXCERPT else f"{text[: LONGEST_EXCERPT - 1]}…"


def printable(text: str) -> str:
    """Return text with control characters replaced, which a terminal would obey."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
