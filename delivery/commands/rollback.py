"""`rollback`: to the last release that was proven, which need not be the one before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from delivery.commands.session import root_option, session, wait_option
from delivery.deployment import receipts
from delivery.deployment.deployment import Deployment
from delivery.deployment.outcomes import Cause, Ended, Outcome, exit_codes
from delivery.deployment.seam import Candidate
from delivery.release import git_history
from delivery.terminal.display import Display

if TYPE_CHECKING:
    from pathlib import Path

    from delivery.aws.ecs.target import EcsTarget
    from delivery.deployment.seam import Json, Running


@click.command(epilog=exit_codes())
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@wait_option
@root_option
def rollback(yes: bool, wait: float, root: Path) -> None:
    """Go back to the last release that was live and proven, other than the one that runs.

    Shows first what it will do, and waits for a yes. Then it deploys that image as `deploy` does, but for migrations:
    those that have run stay, for they cannot be undone.
    """
    with session(root) as on:
        now, goal = on.target.running, _last_proven(on.target)
        for line in _intent(goal, now, root):
            click.echo(line)
        if not (yes or click.confirm("Go back?", default=False)):
            raise click.ClickException("Nothing was changed.")
        candidate = Candidate(
            goal["commit"], root, on.environment.branch, on.pipeline, on.target, expected=goal["digest"], rollback=True
        )
        Deployment(candidate, on.poller, on.settings, on.folder, Display()).run(wait)


def _last_proven(target: EcsTarget) -> Json:
    running = target.running.digest if target.running.service else None
    replaced = set()  # what ran until a later release was deployed
    for receipt in receipts.newest(target.store):
        # One that still baked at the end of its deployment may have been undone since.
        lasted = (receipt["bake"] or {"ended": True})["ended"] or receipt["digest"] in replaced
        if receipt["proven"] and receipt["digest"] != running and lasted:
            return receipt
        if receipt["previous"]:
            replaced.add(receipt["previous"]["digest"])
    raise Ended(
        Outcome.REFUSED,
        Cause(
            "nothing-to-go-back-to",
            "No receipt shows a proven release other than the running one.",
            (),
            "deploy a commit that works, with --allow-older if it is an old one.",
        ),
    )


def _intent(goal: Json, now: Running, root: Path) -> list[str]:
    age = datetime.now(UTC) - datetime.fromisoformat(goal["ended"])
    lines = [
        f"From  {now.commit or 'an unknown commit'}  {now.digest or ''}",
        f"to    {goal['commit']}  {goal['digest']}",
        f"which was proven {_ago(age.total_seconds())} ago ({goal['key']}).",
    ]
    try:
        stay = git_history.migrations(root, goal["commit"], now.commit) if now.commit else []
    except click.ClickException as unknown:
        return [*lines, f"The migrations in between are not known: {unknown.message}"]
    if stay:
        lines.append(f"These migrations stay, as they cannot be undone: {', '.join(stay)}.")
    return lines


def _ago(seconds: float) -> str:
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"
