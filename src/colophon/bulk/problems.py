"""The problems of a file of books, with their place and reason."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from ..catalogue.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

SHOWN = 20
MOST_IN_A_ROW = 100


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


def first(problems: list[Problem]) -> list[Problem]:
    """Return the first problems of a row, and one that counts the others."""
    if len(problems) <= MOST_IN_A_ROW:
        return problems
    more = f"Has {len(problems) - MOST_IN_A_ROW:,} more problems."
    return [*problems[:MOST_IN_A_ROW], Problem(problems[0].row, None, None, more)]
