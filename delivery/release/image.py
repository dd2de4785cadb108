"""The image of one commit, with the release's passport baked in."""

from __future__ import annotations

import json
import shutil
import uuid
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from delivery.release import image_digest, passport, reports
from delivery.terminal.shell import CommandError, environment, output, run

if TYPE_CHECKING:
    from delivery.release.checkout import Checkout
    from delivery.release.passport import Origin

NAME = "colophon"
BUILDX_NEEDED = 23  # the version of Docker's client from which it builds by a plugin


def build(
    source: Checkout, origin: Origin, base: str | None, reports_folder: Path | None, *, no_cache: bool = False
) -> dict[str, Any]:
    """Build the image of a commit, and return what is written of it to build/image.json. Raises ClickException."""
    folder = source.root / "build"
    folder.mkdir(exist_ok=True)
    tag = name(source)
    with TemporaryDirectory() as temporary, ExitStack() as names:
        context = Path(temporary, "src")
        source.copy("src", context)
        options = (["--build-arg", f"BASE={base}"] if base else []) + (["--no-cache"] if no_cache else [])
        site = _docker_build(context, "site", options, names)
        held = image_digest.digest(site)
        release = passport.issue(_passport_of(site), source, origin, reports_folder or folder, held)
        written = json.dumps(release, indent=2, ensure_ascii=False) + "\n"
        (context / "release.json").write_text(written, encoding="utf-8")
        about = {"COMMIT": source.commit, "VERSION": release["version"], "BUILT_AT": release["built_at"]}
        about["SITE"] = site
        arguments = [word for name, value in about.items() for word in ("--build-arg", f"{name}={value}")]
        image = _docker_build(context, "release", options + arguments, names)
        # It must accept its own passport, or it would not start.
        if _passport_of(image) != release:
            raise click.ClickException(f"{tag} has a different passport from the one it was built with.")
        described = {
            "image": tag,
            "id": output("docker", "image", "inspect", "--format", "{{.Id}}", image, quiet=True).strip(),
            "commit": source.commit,
            "content": image_digest.digest(image),
            "site": held,
            "scan": reports.verdict_on_image(reports_folder or folder, held),
        }
        output("docker", "tag", image, tag)
    (folder / "release.json").write_text(written, encoding="utf-8")
    write(source.root, described)
    return described


def name(source: Checkout) -> str:
    """Return the name of a checkout's image: of its commit and its folder, so that no other one here takes it away."""
    folder = sha256(str(source.root.resolve()).encode()).hexdigest()
    return f"{NAME}:{source.commit}-{folder[:8]}"


def described(root: Path) -> dict[str, Any]:
    """Return what is written of the image that was built. Raises ClickException where none was."""
    path = root / "build" / "image.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise click.ClickException(
            "build/image.json does not exist: no image has been built. `make build` first."
        ) from None
    except ValueError as error:
        raise click.ClickException(f"build/image.json is damaged ({error}). `make build` writes it again.") from None
    return found


def write(root: Path, image: dict[str, Any]) -> None:
    """Write down what there is to say of the image that was built."""
    (root / "build" / "image.json").write_text(json.dumps(image, indent=2) + "\n", encoding="utf-8")


def require_builder(no_engine: str) -> None:
    """Raise ClickException where nothing can be built; `no_engine` says what to do where no engine answers.

    A newer client has no builder without a plugin.
    """
    try:
        version = output("docker", "version", "--format", "{{.Client.Version}}", quiet=True).strip()
    except CommandError as error:
        if error.code == 127:
            raise
        raise click.ClickException(f"No container engine answers: {no_engine}.") from None
    try:
        output("docker", "buildx", "version", quiet=True)
    except CommandError:
        if int(version.partition(".")[0]) >= BUILDX_NEEDED:
            program = shutil.which("docker", path=environment()["PATH"])
            raise click.ClickException(
                f"{program} ({version}) has no builder: install its plugin, docker-buildx or docker-buildx-plugin, or "
                "put another client first in PATH."
            ) from None


def _docker_build(context: Path, target: str, options: list[str], names: ExitStack) -> str:
    """Build a target, and return a name of the image that no other build on this engine takes away."""
    own = f"{NAME}:build-{uuid.uuid4().hex}"
    run(
        *("docker", "build", "--target", target, "--tag", own, *options, str(context)),
        # An image that comes with attestations is an index of images, which registries cannot scan.
        env={"DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
    )
    names.callback(output, "docker", "image", "rm", own, quiet=True)
    return own


def _passport_of(image: str) -> dict[str, Any]:
    printed = output(
        "docker", "run", "--rm", "--network=none", "--read-only", image, "python3", "-m", "colophon", "release"
    )
    found: dict[str, Any] = json.loads(printed)
    return found
