"""`rollback`: to the last release that was proven, which need not be the one before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from delivery.aws.ecs import task_definition
from delivery.aws.ecs.service import Situation
from delivery.commands.session import root_option, session
from delivery.deployment import receipts
from delivery.deployment.candidate import Wanted
from delivery.deployment.deployment import Deployment
from delivery.deployment.outcomes import Cause, Ended, Outcome, exit_codes
from delivery.release import git_history
from delivery.terminal.display import Display

if TYPE_CHECKING:
    from pathlib import Path

    from delivery.aws.client import Json
    from delivery.aws.ecs.service import Place


@click.command(epilog=exit_codes())
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--wait", type=click.FloatRange(0), default=0, metavar="SECONDS", help="Wait so long for a running deployment."
)
@root_option
def rollback(yes: bool, wait: float, root: Path) -> None:
    """Go back to the last release that was live and proven, other than the one that runs.

    Says first what it will do, and asks. Then it deploys that image as `deploy` does, but for migrations: those that
    have run stay, for they cannot be undone.
    """
    with session(root) as place:
        now = Situation(place)
        target = _last_verified(place, now)
        for line in _intent(target, now, root):
            click.echo(line)
        if not (yes or click.confirm("Go back?", default=False)):
            raise click.ClickException("Nothing was changed.")
        wanted = Wanted(target["commit"], expected=target["digest"], back=True, situation=now)
        Deployment(place, wanted, Display(), desired=None, force=False).run(wait)


def _last_verified(place: Place, now: Situation) -> Json:
    running = task_definition.digest(now.image) if now.service else None
    for receipt in receipts.newest(place.aws, place.names.bucket):
        if receipt["verified"] and receipt["digest"] != running:
            return receipt
    raise Ended(
        Outcome.REFUSED,
        Cause(
            "nothing-to-go-back-to",
            "No receipt tells of a release that was proven, other than the one that runs.",
            (),
            "nothing: deploy a commit that works, with --allow-older if it is an old one.",
        ),
    )


def _intent(target: Json, now: Situation, root: Path) -> list[str]:
    age = datetime.now(UTC) - datetime.fromisoformat(target["ended"])
    lines = [
        f"From  {now.commit or 'an unknown commit'}  {task_definition.digest(now.image) or ''}",
        f"to    {target['commit']}  {target['digest']}",
        f"which was proven {_ago(age.total_seconds())} ago ({target['key']}).",
    ]
    try:
        stay = git_history.migrations(root, target["commit"], now.commit) if now.commit else []
    except click.ClickException as unknown:
        return [*lines, f"Which migrations lie between cannot be told: {unknown.message}"]
    if stay:
        lines.append(f"These migrations stay, as they cannot be undone: {', '.join(stay)}.")
    return lines


def _ago(seconds: float) -> str:
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"
