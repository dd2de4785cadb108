"""`plan`: what a deployment would change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from delivery.aws.ecs import service as situation
from delivery.aws.ecs import task_definition
from delivery.aws.ecs.service import Situation
from delivery.commands.session import commit_option, root_option, session, whole_commit
from delivery.deployment.candidate import Wanted
from delivery.deployment.outcomes import Cause, Ended, Outcome
from delivery.release import git_history

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@commit_option
@root_option
def plan(commit: str | None, root: Path) -> None:
    """Say what `deploy` would do: from which commit to which, the task definition's difference, the migrations.

    Changes nothing.
    """
    with session(root) as place:
        now = Situation(place)
        if now.service is None:
            no = Cause("no-service", "There is no service to deploy to.", (), "create the stacks (ecs/README.md).")
            raise Ended(Outcome.REFUSED, no)
        wanted = Wanted(whole_commit(root, commit), situation=now)
        click.echo(f"runs    {now.commit or 'nothing yet'}")
        click.echo(f"wanted  {wanted.commit}{'' if wanted.image else '  (its image is not in the registry yet)'}")
        if wanted.image is None:
            return
        if now.image == wanted.name and not now.idle:
            click.secho("The service runs this image already: deploy would prove it, and change nothing.", fg="green")
            return
        changed = task_definition.with_image(now.definition, wanted.name)
        click.echo(f"{task_definition.revision(now.definition['taskDefinitionArn'])} would get a new revision:")
        for line in task_definition.difference(now.definition, changed):
            click.secho(f"  {line}", fg={"-": "red", "+": "green"}.get(line[0]))
        if now.idle:
            click.echo(f"{situation.minimum_tasks(now.service)} tasks would be started, the first ones.")
            return
        if now.commit:
            new = git_history.migrations(root, now.commit, wanted.commit)
            click.echo(f"migrations: {', '.join(new) or 'none'}")
