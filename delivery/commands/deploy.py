"""`deploy`: release a commit and prove it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from delivery.commands.session import allow_older_option, candidate, commit_option, root_option, session, wait_option
from delivery.deployment.deployment import Deployment
from delivery.deployment.outcomes import exit_codes
from delivery.terminal.display import Display

if TYPE_CHECKING:
    from pathlib import Path


@click.command(epilog=exit_codes())
@commit_option
@click.option(
    "--desired-count", type=click.IntRange(1), metavar="N", help="How many tasks; by default, as many as now."
)
@wait_option
@click.option("--force", is_flag=True, help="Deploy even what is live and proven already.")
@allow_older_option
@root_option
def deploy(
    commit: str | None, desired_count: int | None, wait: float, force: bool, allow_older: bool, root: Path
) -> None:
    """Release a commit whose image is in the registry, and prove that the site serves it.

    Takes the lock, checks everything, migrates with the new image, makes one call to the target, follows that
    deployment to its end, proves it, and writes a receipt. When it does not end live, what ran before is running again.
    Ctrl-C and SIGTERM leave the service whole.
    """
    with session(root) as on:
        chosen = candidate(on, root, commit, allow_older=allow_older)
        Deployment(chosen, on.poller, on.settings, on.folder, Display(), tasks=desired_count, force=force).run(wait)
