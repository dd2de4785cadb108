"""The command line: `python -m delivery`. The menu's lines are these commands."""

from __future__ import annotations

import click

from .building import build
from .scanning import scan
from .stacks import stacks


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Ship Colophon: from a commit to a site that serves it, and back."""


main.add_command(scan)
main.add_command(build)
main.add_command(stacks)
