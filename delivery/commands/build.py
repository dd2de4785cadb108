"""`build`: the image of the commit that is checked out."""

from __future__ import annotations

from pathlib import Path

import click

from delivery import pipelines
from delivery.commands.session import root_option
from delivery.release import checkout, image
from delivery.release.passport import Origin

base_option = click.option(
    "--base", envvar="BASE", metavar="IMAGE", help="A base image other than the one that src/Dockerfile pins."
)
reports_option = click.option(
    "--reports",
    "reports_folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the earlier steps left their reports, by default in build/.",
)


@click.command()
@base_option
@click.option("--no-cache", is_flag=True, help="Build every layer again.")
@reports_option
@root_option
def build(base: str | None, no_cache: bool, reports_folder: Path | None, root: Path) -> None:
    """Build the image of the commit that is checked out, and nothing else that lies here.

    Writes build/release.json, the passport that was baked in, and build/image.json: the image's name, which is of the
    commit and of this folder, so that two jobs of one commit keep theirs apart; its id, the commit, the digest of what
    it holds, which is the same whenever this commit is built with the same reports, and what `scan-image` said of it.
    """
    by = pipelines.current()
    image.require_builder(by.engine)
    source = checkout.read(root, by.ref)
    if source.changed:
        click.secho(f"Not in the image, as they are not committed: {_some(source.changed)}.", fg="yellow", err=True)
    described = image.build(source, Origin(by.url, by.began), base, reports_folder, no_cache=no_cache)
    click.echo(f"{described['image']} is built: id {described['id']}, content {described['content']}")


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
