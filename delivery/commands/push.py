"""`push`: the image that was built, into the registry, under its commit."""

from __future__ import annotations

import json
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from delivery.aws.ecs.service import Registry, is_image, not_an_image
from delivery.commands.session import root_option, session
from delivery.deployment.cancellation import PERSISTING
from delivery.deployment.outcomes import Cause, Ended, Outcome, exit_codes
from delivery.release import image
from delivery.terminal.shell import output, run

if TYPE_CHECKING:
    from pathlib import Path

    from delivery.aws.client import Json
    from delivery.aws.ecs.service import Place


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
    with session(root) as place:
        registry, uri, commit = Registry(place), _uri(place), built["commit"]
        found = registry.image(commit=commit)
        if found is None:
            _push(place, uri, built)
            # The registry may show it a little later.
            for _ in place.waiting.looks(PERSISTING):
                found = registry.image(commit=commit)
                if found:
                    break
            else:
                raise click.ClickException(f"The push went well, but the registry has no image of {commit}.")
            click.secho(f"{commit} is pushed.", fg="green")
        elif _same(place, found, built["id"]):
            click.echo(f"{commit} was pushed before, and is this very image.")
        elif keep_existing:
            click.secho(f"{commit} was pushed before, by another build; that one is taken.", fg="yellow")
            built |= {"scan": "not run"}  # of that one nothing is known
        else:
            raise Ended(Outcome.REFUSED, _other_build(commit, found["imageDigest"], built["id"]))
        if not is_image(found):
            raise Ended(Outcome.REFUSED, not_an_image(commit, found))
        digest = found["imageDigest"]
        name = f"{uri}@{digest}"
    image.write(root, built | {"digest": digest, "repository": uri})
    (root / "build" / "image.env").write_text(f"IMAGE={name}\n", encoding="utf-8")
    click.echo(name)


def _uri(place: Place) -> str:
    """Return the repository's name for Docker. Raises AwsError."""
    found = place.aws.call("ecr", "describe-repositories", "--repository-names", place.names.project)
    return str(found["repositories"][0]["repositoryUri"])


def _push(place: Place, uri: str, built: Json) -> None:
    """Push with a Docker configuration of its own: the password is in nobody's home directory, and gone afterwards."""
    tag = f"{uri}:{built['commit']}"
    password = place.aws.registry_password()
    with TemporaryDirectory(prefix="delivery-") as folder:
        own = {"DOCKER_CONFIG": folder}
        host = uri.partition("/")[0]
        output("docker", "login", "--username", "AWS", "--password-stdin", host, env=own, given=password)
        # By its id: another build of the commit on this engine takes the name for itself.
        output("docker", "tag", built["id"], tag)
        with place.aws.changing(f"{tag} was pushed"):
            run("docker", "push", tag, env=own)


def _same(place: Place, found: Json, image_id: str) -> bool:
    """Tell whether an image in the registry is the one with an ID here.

    An engine names an image by its configuration, or, with containerd's store, by its manifest.
    """
    got = place.aws.call(
        "ecr",
        "batch-get-image",
        "--repository-name",
        place.names.project,
        "--image-ids",
        f"imageDigest={found['imageDigest']}",
    )["images"]
    manifest = json.loads(got[0]["imageManifest"]) if got else {}
    return image_id in (manifest.get("config", {}).get("digest"), found["imageDigest"])


def _not_scanned(built: Json) -> Cause:
    found = built.get("scan") == "failed"
    return Cause(
        "not-scanned",
        f"{built['image']} {'did not pass its scan' if found else 'was not scanned'}, so it is not pushed.",
        (),
        "what `make scan-image` found: src/requirements.txt, the base in src/Dockerfile, or an exception for a time in "
        "delivery/exceptions.yaml."
        if found
        else "nothing: `make scan-image` first.",
    )


def _other_build(commit: str, there: str, here: str) -> Cause:
    return Cause(
        "other-build",
        f"The registry has another build of {commit}, and a tag never moves.",
        (f"there: {there}", f"here:  {here}"),
        "nothing: --keep-existing takes the one that is there. A new commit makes a new image.",
    )
