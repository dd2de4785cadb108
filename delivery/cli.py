"""The command line: `python -m delivery`. The menu's lines are these commands."""

from __future__ import annotations

import click

from delivery.aws.stacks.stacks import stacks
from delivery.commands.deploy import deploy, preflight
from delivery.commands.plan import plan
from delivery.commands.push import push
from delivery.commands.rollback import rollback
from delivery.commands.status import history, status
from delivery.release.image import build
from delivery.release.trivy import scan, scan_image


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Ship Colophon: from a commit to a site that serves it, and back."""


for command in (scan, build, scan_image, push, plan, preflight, deploy, status, history, rollback, stacks):
    main.add_command(command)
