"""`deploy`, and `preflight`, which is its first step alone."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from delivery.aws.ecs import task_definition
from delivery.aws.ecs.service import Situation
from delivery.commands.session import commit_option, root_option, session, whole_commit
from delivery.deployment import preflight as checks
from delivery.deployment.candidate import Wanted
from delivery.deployment.deployment import Deployment
from delivery.deployment.outcomes import Outcome, exit_codes
from delivery.terminal.display import Display

if TYPE_CHECKING:
    from pathlib import Path

allow_older_option = click.option(
    "--allow-older", is_flag=True, help="Deploy a commit that is older than the running one, or of another branch."
)


@click.command(epilog=exit_codes())
@commit_option
@click.option(
    "--desired-count", type=click.IntRange(1), metavar="N", help="How many tasks; by default, as many as now."
)
@click.option(
    "--wait", type=click.FloatRange(0), default=0, metavar="SECONDS", help="Wait so long for a running deployment."
)
@click.option("--force", is_flag=True, help="Make a new deployment even of what is live and proven.")
@allow_older_option
@root_option
def deploy(
    commit: str | None, desired_count: int | None, wait: float, force: bool, allow_older: bool, root: Path
) -> None:
    """Release a commit whose image is in the registry, and prove that the site serves it.

    Takes the lease, checks everything, migrates with the new image, makes one call to ECS, follows that deployment to
    its end, proves it, and writes a receipt. When it does not end live, what ran before is running again. Ctrl-C and
    SIGTERM leave the service whole.
    """
    with session(root) as place:
        # What `push` left, which a later job of the pipeline gets as a variable.
        pushed = task_definition.digest(os.environ.get("IMAGE"))
        wanted = Wanted(whole_commit(root, commit), pushed, allow_older=allow_older, situation=Situation(place))
        Deployment(place, wanted, Display(), desired=desired_count, force=force).run(wait)


@click.command(epilog=exit_codes())
@commit_option
@allow_older_option
@root_option
def preflight(commit: str | None, allow_older: bool, root: Path) -> None:
    """Check everything that a deployment needs, a line each, and change nothing.

    Ends with 0 when nothing stands in its way, else with 3.
    """
    with session(root) as place:
        wanted = Wanted(whole_commit(root, commit), allow_older=allow_older, situation=Situation(place))
        display = Display()
        found = checks.run(wanted, lambda each: display.check(each.name, each.verdict, each.found))
    for check in found:
        if check.cause and check.cause.change:
            click.echo(f"{check.name}: {check.cause.change}", err=True)
    if any(check.cause for check in found):
        sys.exit(Outcome.REFUSED.code)
