"""`push`: the image that was built, into the registry, under its commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from delivery.commands.session import root_option, session
from delivery.deployment.cancellation import PERSISTING
from delivery.deployment.outcomes import Cause, Ended, Outcome, exit_codes
from delivery.release import image

if TYPE_CHECKING:
    from pathlib import Path

    from delivery.commands.session import Session
    from delivery.deployment.seam import Image, Json


@click.command(epilog=exit_codes())
@click.option(
    "--keep-existing",
    is_flag=True,
    help="If the registry has another build of this commit, take that one instead of refusing.",
)
@root_option
def push(keep_existing: bool, root: Path) -> None:
    """Push the image that `build` made to the registry, tagged with its commit.

    A tag never moves: pushing the same image again changes nothing, pushing another build of the same commit is
    refused. Writes the image's digest to build/image.json and, as a dotenv file for later jobs, to build/image.env.
    """
    built = image.described(root)
    if built.get("scan") not in ("passed", "not run"):
        raise Ended(Outcome.REFUSED, _not_scanned(built))
    with session(root) as on:
        registry, commit = on.target.registry, built["commit"]
        found = registry.find(commit)
        if found is None:
            registry.push(built["id"], commit)
            found = _pushed(on, commit)
            click.secho(f"{commit} is pushed.", fg="green")
        elif registry.is_same(found, built["id"]):
            click.echo(f"{commit} is already in the registry, as this same image.")
        elif keep_existing:
            click.secho(f"{commit} is already in the registry, from another build; using that one.", fg="yellow")
            built |= {"scan": "not run"}  # of that one nothing is known
        else:
            raise Ended(Outcome.REFUSED, _other_build(commit, found.digest, built["id"]))
        if found.unfit:
            raise Ended(Outcome.REFUSED, found.unfit)
        name = f"{registry.uri}@{found.digest}"
        image.write(root, built | {"digest": found.digest, "repository": registry.uri})
    (root / "build" / "image.env").write_text(f"IMAGE={name}\n", encoding="utf-8")
    click.echo(name)


def _pushed(on: Session, commit: str) -> Image:
    """Return the image that was pushed, which the registry may show a little later."""
    for _ in on.poller.polls(PERSISTING):
        found = on.target.registry.find(commit)
        if found:
            return found
    raise click.ClickException(f"The push succeeded, but the registry has no image of {commit}.")


def _not_scanned(built: Json) -> Cause:
    found = built.get("scan") == "failed"
    return Cause(
        "not-scanned",
        f"{built['image']} {'did not pass its scan' if found else 'was not scanned'}, so it is not pushed.",
        (),
        "fix what `make scan-image` found: src/requirements.txt, the base in src/Dockerfile, or an exception with an "
        "end in delivery/exceptions.yaml."
        if found
        else "`make scan-image` first.",
    )


def _other_build(commit: str, there: str, here: str) -> Cause:
    return Cause(
        "other-build",
        f"The registry has another build of {commit}, and a tag never moves.",
        (f"there: {there}", f"here:  {here}"),
        "--keep-existing takes the one that is there. A new commit makes a new image.",
    )
