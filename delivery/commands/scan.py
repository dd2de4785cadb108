"""`scan`: the secrets, misconfigurations, licences and vulnerabilities of this checkout."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from delivery.commands.session import root_option
from delivery.deployment.outcomes import Outcome
from delivery.release import trivy
from delivery.terminal.plain import plain
from delivery.terminal.shell import output

if TYPE_CHECKING:
    from pathlib import Path

COLOURS = {"passed": "green", "failed": "red"}

offline_option = click.option(
    "--offline",
    is_flag=True,
    envvar="SCAN_OFFLINE",
    help="Skip the scan for vulnerabilities, whose database must be downloaded. The passport will say so.",
)


@click.command()
@offline_option
@root_option
def scan(offline: bool, root: Path) -> None:
    """Scan this checkout, changes not yet committed included, and write the verdicts to build/scans.json.

    Findings of high or critical severity fail it, but for the exceptions in delivery/exceptions.yaml, until the day
    that stands there. Exit code 1: something was found; 9: a scan could not run.
    """
    exceptions = trivy.exceptions()
    scans = trivy.scan_checkout(root, offline=offline)
    commit = output("git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*", cwd=root, quiet=True)
    trivy.write(root / "build" / "scans.json", {"commit": commit.strip()}, scans, exceptions)
    require(scans, offline=offline)


def require(scans: list[trivy.Scan], *, offline: bool) -> None:
    """Print what was found, and exit unless every scan passed: 1 for a find, 9 for one that did not run.

    `offline`, one may have not run.
    """
    for found in scans:
        note = f", {found.note}" if found.note else ""
        click.secho(f"{found.name}: {found.verdict}{note}", fg=COLOURS.get(found.verdict, "yellow"))
        for sentence in found.details:
            click.echo(plain(f"  {sentence}"))
    verdicts = {found.verdict for found in scans}
    if "failed" in verdicts:
        sys.exit(1)
    if "not run" in verdicts and not offline:
        sys.exit(Outcome.UNAVAILABLE.code)
