"""`plan`: what a deployment would change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from delivery.commands.session import candidate, commit_option, root_option, session
from delivery.release import git_history
from delivery.terminal.plain import plain

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@commit_option
@root_option
def plan(commit: str | None, root: Path) -> None:
    """Show what `deploy` would do: from which commit to which, the revision's difference, the migrations.

    Changes nothing.
    """
    with session(root) as on:
        on.target.require_service()
        now, wanted = on.target.running, candidate(on, root, commit)
        click.echo(f"runs    {now.commit or now.differing or 'nothing yet'}")
        click.echo(f"wanted  {wanted.commit}{'' if wanted.found else '  (its image is not in the registry yet)'}")
        if wanted.found is None:
            return
        if now.image == wanted.name and not now.idle:
            click.secho("The service runs this image already: deploy would prove it, and change nothing.", fg="green")
            return
        for line in on.target.preview(wanted.image):
            click.secho(plain(f"  {line}" if line[0] in "-+" else line), fg={"-": "red", "+": "green"}.get(line[0]))
        if now.commit and not now.idle:
            new = git_history.migrations(root, now.commit, wanted.commit)
            click.echo(f"migrations: {', '.join(new) or 'none'}")
