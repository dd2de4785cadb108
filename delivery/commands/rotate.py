"""`rotate`: change the password of the database that the site serves with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from delivery.commands.session import root_option, session, wait_option
from delivery.deployment.outcomes import Cause, Ended, Outcome, exit_codes
from delivery.deployment.rotation import Rotation
from delivery.deployment.seam import Candidate
from delivery.terminal.display import Display

if TYPE_CHECKING:
    from pathlib import Path


@click.command(epilog=exit_codes())
@wait_option
@root_option
def rotate(wait: float, root: Path) -> None:
    """Change the password of the database that the site serves with, and lose no request.

    Deploys what runs once more, as the database's next user; then the user before gets a new password. It is for an
    administrator: the pipeline's role may read no secret. Run it again after one that was interrupted.
    """
    with session(root) as on:
        on.target.require_service()
        now = on.target.running
        if now.idle or now.commit is None:
            nothing = "No release runs whose commit is known, so there is none to deploy again."
            raise Ended(Outcome.REFUSED, Cause("nothing-runs", nothing, (), "deploy one first."))
        candidate = Candidate(
            *(now.commit, root, on.environment.branch, on.pipeline, on.target),
            expected=now.digest,
            rollback=True,
            rotation=True,
        )
        Rotation(on.target.users, candidate, on.poller, on.settings, on.folder, Display()).run(wait)
