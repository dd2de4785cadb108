"""`scan-image`: the secrets, licences and vulnerabilities of the image that was built."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from delivery import pipelines
from delivery.commands.build import base_option, reports_option
from delivery.commands.scan import offline_option, require
from delivery.commands.session import root_option
from delivery.release import checkout, image, reports, trivy
from delivery.release.passport import Origin
from delivery.terminal.shell import CommandError, output

if TYPE_CHECKING:
    from pathlib import Path


@click.command("scan-image")
@offline_option
@base_option
@reports_option
@root_option
def scan_image(offline: bool, base: str | None, reports_folder: Path | None, root: Path) -> None:
    """Scan the image that `build` made, with its operating system, and bake the verdicts into its passport.

    Nothing else in it is changed. Findings of critical severity fail it, and those of high severity for which there is
    a fixed version, but for the exceptions in delivery/exceptions.yaml: such an image cannot be pushed. Exit code 1:
    something was found; 9: a scan could not run.
    """
    by = pipelines.current()
    source, described = checkout.read(root, by.ref), image.described(root)
    if described["commit"] != source.commit:
        raise click.ClickException(f"{described['image']} is not of {source.commit}. `make build` first.")
    exceptions = trivy.exceptions()
    scans = trivy.scan_image(described["id"], root, offline=offline)
    verdicts = {found.verdict for found in scans}
    verdict = next(each for each in ("failed", "not run", "passed") if each in verdicts)
    about = {"site": described["site"], "verdict": verdict}
    trivy.write((reports_folder or root / "build") / reports.IMAGE_SCANS, about, scans, exceptions)
    image.write(root, described | {"scan": verdict})
    require(scans, offline=offline)
    built = image.build(source, Origin(by.url, by.began), base, reports_folder)
    if built["scan"] != verdict:
        raise click.ClickException(
            "The engine built a different site from the one scanned: run `make scan-image` again."
        )
    with suppress(CommandError):  # it may be gone already
        tags = output("docker", "image", "inspect", "--format", "{{.RepoTags}}", described["id"], quiet=True)
        if tags.strip() == "[]":
            output("docker", "image", "rm", described["id"], quiet=True)
    click.echo(f"{built['image']} says so in its passport: id {built['id']}, content {built['content']}")
