"""Answers and errors of checks, gates, stores and targets."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from delivery.deployment.outcomes import Cause


class Refusal(Exception):
    """A check or a gate says no: the sentence that says why, what shows it, and what to change."""

    def __init__(self, sentence: str, change: str = "", evidence: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.sentence, self.change, self.evidence = sentence, change, evidence


class Doubt(Exception):
    """A check found no reason to stop, but cannot say that all is well."""


class CallError(click.ClickException):
    """A call to the target failed."""

    @property
    @abstractmethod
    def cause(self) -> Cause:
        """The cause of the failure, and what to change."""

    @property
    @abstractmethod
    def may_pass(self) -> bool:
        """True if the same call may succeed later, with nothing changed."""

    @property
    @abstractmethod
    def lasts(self) -> bool:
        """True if the same call will fail until a person changes something."""

    @property
    @abstractmethod
    def may_be_done(self) -> bool:
        """True if the target may have carried the call out all the same."""


class Conflict(Exception):
    """An object is not what a conditional write expected."""
