"""`preflight`: the first step of a deployment alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from delivery.commands.session import allow_older_option, candidate, commit_option, root_option, session
from delivery.deployment import preflight as checks
from delivery.deployment.outcomes import Outcome, exit_codes
from delivery.terminal.display import Display

if TYPE_CHECKING:
    from pathlib import Path


@click.command(epilog=exit_codes())
@commit_option
@allow_older_option
@root_option
def preflight(commit: str | None, allow_older: bool, root: Path) -> None:
    """Check everything that a deployment needs, a line each, and change nothing.

    Exits with 0 if every check passes, 3 otherwise.
    """
    with session(root) as on:
        display = Display()
        found = checks.run(
            candidate(on, root, commit, allow_older=allow_older),
            on.poller.cancellation,
            lambda check: display.check(check.name, check.verdict, check.found),
        )
    for check in found:
        if check.cause and check.cause.change:
            click.echo(f"{check.name}: {check.cause.change}", err=True)
    if any(check.cause for check in found):
        sys.exit(Outcome.REFUSED.code)
