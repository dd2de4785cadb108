"""The outcomes of a deployment, their exit codes, and the cause of an outcome."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import click

from delivery.terminal.plain import plain

if TYPE_CHECKING:
    from collections.abc import Mapping


class Outcome(Enum):
    """An outcome: its name in receipts, its exit code, and what it means. 2 is click's, for wrong usage."""

    LIVE = "live", 0, "the site serves this commit, and that was proven"
    FAILED = "failed", 1, "it failed part-way and was not undone; `make status` shows what runs"
    REFUSED = "refused", 3, "a check, the target or another deployment's lock refused it; the service was not changed"
    MIGRATION_FAILED = "migration failed", 4, "the database could not be prepared; the service was not changed"
    ROLLED_BACK = "rolled back", 5, "the previous release runs again: the new one failed, or was not proven"
    TIMED_OUT = "timed out", 6, "the previous release runs again: the new one was not up in time"
    SUPERSEDED = "superseded", 7, "another deployment replaced this one"
    CANCELLED = "cancelled", 8, "a signal or a person cancelled it; the previous release runs"
    UNAVAILABLE = "unavailable", 9, "a service that it needs did not answer; nothing was changed, so try again later"

    def __init__(self, title: str, code: int, meaning: str) -> None:
        self.title, self.code, self.meaning = title, code, meaning


def exit_codes() -> str:
    """Return the table of exit codes that stands under a command's --help."""
    codes = {outcome.code: f"{outcome.title}: {outcome.meaning}" for outcome in Outcome} | {2: "wrong usage"}
    return "\n".join(["\b", "Exit codes:", *(f"  {code}  {codes[code]}" for code in sorted(codes))])


@dataclass(frozen=True)
class Cause:
    """The cause of an outcome: a sentence, the evidence for it, and the next step, which names the file to change."""

    kind: str
    sentence: str
    evidence: tuple[str, ...] = ()
    change: str = ""

    def text(self) -> str:
        """Return it as people read it."""
        change = [f"Next step: {self.change}"] if self.change else []
        return "\n".join([self.sentence, *(f"  | {line}" for line in self.evidence), *change])

    def as_json(self) -> dict[str, Any]:
        """Return it as it stands on a receipt."""
        return asdict(self) | {"evidence": list(self.evidence)}


def unchanged(cause: Cause, changes: Mapping[str, bool], *, may_pass: bool) -> Ended:
    """Return the end of a deployment that left the service as it was; "unavailable" says that nothing was changed."""
    return Ended(Outcome.UNAVAILABLE if may_pass and not changes else Outcome.REFUSED, cause, changes)


class Ended(click.ClickException):
    """A deployment has ended other than live. `changes` is the record of what it changed (`Target.changes`)."""

    def __init__(self, outcome: Outcome, cause: Cause, changes: Mapping[str, bool] | None = None) -> None:
        super().__init__(cause.sentence)
        self.outcome, self.cause, self.changes = outcome, cause, changes or {}
        self.exit_code = outcome.code  # type: ignore[misc]  # click's own way, though it declares it for the class

    def show(self, file: object = None) -> None:  # noqa: ARG002 -- click's signature
        """Print the outcome, its cause, and what was changed."""
        click.secho(f"{self.outcome.title.capitalize()}: {self.outcome.meaning}.", fg="red", bold=True, err=True)
        click.echo(plain(self.cause.text()), err=True)
        if self.changes:
            click.echo(plain(f"Changed so far: {'; '.join(in_words(self.changes))}."), err=True)


def in_words(changes: Mapping[str, bool]) -> list[str]:
    """Return changes as people read them, an uncertain one marked with `perhaps`."""
    return [change if certain else f"perhaps {change}" for change, certain in changes.items()]
