"""`build`: the image of one commit, with the release's passport baked in."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from . import checkout, content, passport
from .checkout import ROOT
from .shell import output, run

NAME = "colophon"


@click.command()
@click.option("--base", envvar="BASE", metavar="IMAGE", help="Another base than the one that src/Dockerfile pins.")
@click.option("--no-cache", is_flag=True, help="Build every layer anew.")
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the test stage left its reports, by default in build/.",
)
@click.option("--root", type=click.Path(path_type=Path, exists=True, file_okay=False), default=ROOT, hidden=True)
def build(base: str | None, no_cache: bool, reports: Path | None, root: Path) -> None:
    """Build the image colophon:COMMIT of the commit that is checked out, and nothing else that lies here.

    Writes build/release.json, the passport that was baked in, and build/image.json: the image's name, its id, the
    commit, and the digest of what it holds, which is the same whenever this commit is built with the same reports.
    """
    source = checkout.read(root)
    if source.changed:
        click.secho(f"Not in the image, for they are not committed: {_some(source.changed)}.", fg="yellow", err=True)
    folder = root / "build"
    folder.mkdir(exist_ok=True)
    tag = f"{NAME}:{source.commit}"
    with TemporaryDirectory() as temporary:
        context = Path(temporary, "src")
        source.copy("src", context)
        options = (["--build-arg", f"BASE={base}"] if base else []) + (["--no-cache"] if no_cache else [])
        _docker_build(context, "site", f"{tag}-site", options)
        of_image = _passport_of(f"{tag}-site")
        release = passport.issue(of_image, source, reports or folder)
        (context / "release.json").write_text(
            json.dumps(release, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        about = {"COMMIT": source.commit, "VERSION": release["version"], "BUILT_AT": release["built_at"]}
        labels = [word for name, value in about.items() for word in ("--build-arg", f"{name}={value}")]
        # The layers of the first target are there by now.
        _docker_build(context, "release", tag, [option for option in options if option != "--no-cache"] + labels)
        # It must accept its own passport, or it would not start.
        if _passport_of(tag) != release:
            raise click.ClickException(f"{tag} shows another passport than the one it was given.")
        written = (context / "release.json").read_text(encoding="utf-8")
    (folder / "release.json").write_text(written, encoding="utf-8")
    image_id = output("docker", "image", "inspect", "--format", "{{.Id}}", tag, quiet=True).strip()
    described = {"image": tag, "id": image_id, "commit": source.commit, "content": content.digest(tag)}
    (folder / "image.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    output("docker", "image", "rm", f"{tag}-site")
    click.echo(f"{tag} is built: id {image_id}, content {described['content']}")


def _docker_build(context: Path, target: str, tag: str, options: list[str]) -> None:
    command = ("docker", "build", "--target", target, "--tag", tag, *options, str(context))
    run(*command, env={"DOCKER_BUILDKIT": "1"})


def _passport_of(image: str) -> dict[str, Any]:
    printed = output(
        "docker", "run", "--rm", "--network=none", "--read-only", image, "python3", "-m", "colophon", "release"
    )
    found: dict[str, Any] = json.loads(printed)
    return found


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
