"""How a deployment can end, the exit code that says so, and why it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


class Outcome(Enum):
    """How a deployment ended: its name in receipts, its exit code, and what it means. 2 is click's, for wrong usage."""

    LIVE = "live", 0, "the site serves this commit, and that was proven"
    FAILED = "failed", 1, "it broke off and was not undone; `make status` says what runs"
    REFUSED = "refused", 3, "a check, AWS or another's lease said no; the service was not changed"
    MIGRATION_FAILED = "migration failed", 4, "the database could not be prepared; the service was not changed"
    ROLLED_BACK = "rolled back", 5, "what ran before runs again: the release did not come up, or did not prove itself"
    TIMED_OUT = "timed out", 6, "what ran before runs again: the release was not up in time"
    SUPERSEDED = "superseded", 7, "another deployment took this one's place"
    CANCELLED = "cancelled", 8, "somebody cancelled it; what ran before runs"

    def __init__(self, title: str, code: int, meaning: str) -> None:
        self.title, self.code, self.meaning = title, code, meaning


def exit_codes() -> str:
    """Return the table of exit codes that stands under a command's --help."""
    codes = {outcome.code: f"{outcome.title}: {outcome.meaning}" for outcome in Outcome} | {2: "wrong usage"}
    return "\n".join(["\b", "Exit codes:", *(f"  {code}  {codes[code]}" for code in sorted(codes))])


@dataclass(frozen=True)
class Cause:
    """Why a deployment ended as it did: a sentence, what shows it, and what to change, which names the file."""

    kind: str
    sentence: str
    evidence: tuple[str, ...] = ()
    change: str = ""

    def text(self) -> str:
        """Return it as people read it."""
        change = [f"What to change: {self.change}"] if self.change else []
        return "\n".join([self.sentence, *(f"  | {line}" for line in self.evidence), *change])


class Ended(click.ClickException):
    """A deployment has ended other than live. `changes` is the record of what it changed (`Aws.changes`)."""

    def __init__(self, outcome: Outcome, cause: Cause, changes: Mapping[str, bool] | None = None) -> None:
        super().__init__(cause.sentence)
        self.outcome, self.cause, self.changes = outcome, cause, changes or {}
        self.exit_code = outcome.code  # type: ignore[misc]  # click's own way, though it declares it for the class

    def show(self, file: object = None) -> None:  # noqa: ARG002 -- click's signature
        """Say how it ended and why."""
        click.secho(f"{self.outcome.title.capitalize()}: {self.outcome.meaning}.", fg="red", bold=True, err=True)
        click.echo(self.cause.text(), err=True)
        if self.changes:
            click.echo(f"Done until then: {'; '.join(said(self.changes))}.", err=True)


def said(changes: Mapping[str, bool]) -> list[str]:
    """Return what was changed as people read it: what is not certain is said to be so."""
    return [change if certain else f"perhaps {change}" for change, certain in changes.items()]
