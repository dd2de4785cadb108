"""The checks before anything is changed, a line each; all of them run, even when the first one fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from delivery.deployment import release_checks
from delivery.deployment.errors import CallError, Doubt, Refusal
from delivery.deployment.outcomes import Cause

if TYPE_CHECKING:
    from collections.abc import Callable

    from delivery.deployment.cancellation import Cancellation
    from delivery.deployment.seam import Candidate


@dataclass(frozen=True)
class Check:
    """A check's name, its verdict (ok, warning or refused), what it found, and the cause when it refused.

    `may_pass` says that it refused for a call that may succeed later, with nothing changed.
    """

    name: str
    verdict: str
    found: str
    cause: Cause | None = None
    may_pass: bool = False


def run(candidate: Candidate, cancellation: Cancellation, report: Callable[[Check], None]) -> list[Check]:
    """Run each check and return them all, each reported when it is done. Raises Cancelled."""
    checks = []
    for name, check in {**release_checks.CHECKS, **candidate.target.checks}.items():
        cancellation.check()
        checks.append(_run(name, check, candidate))
        report(checks[-1])
    return checks


def _run(name: str, check: Callable[[Candidate], str], candidate: Candidate) -> Check:
    try:
        return Check(name, "ok", check(candidate))
    except Doubt as doubt:
        return Check(name, "warning", str(doubt))
    except CallError as error:
        return Check(name, "refused", error.cause.sentence, error.cause, error.may_pass)
    except Refusal as refusal:
        sentence, change = refusal.sentence, refusal.change
    except click.ClickException as error:
        sentence, change = error.message, ""
    return Check(name, "refused", sentence, Cause(f"preflight-{name.replace(' ', '-')}", sentence, (), change))
