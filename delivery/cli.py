"""The command line: `python -m delivery`. The menu's lines are these commands."""

from __future__ import annotations

import click

from .building import build
from .deploying import deploy, preflight
from .goingback import rollback
from .planning import plan
from .pushing import push
from .scanning import scan, scan_image
from .showing import history, status
from .stacks import stacks


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Ship Colophon: from a commit to a site that serves it, and back."""


for command in (scan, build, scan_image, push, plan, preflight, deploy, status, history, rollback, stacks):
    main.add_command(command)
