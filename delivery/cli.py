"""The command line, `python -m delivery`: the lines of the menu."""

from __future__ import annotations

from typing import Any

import click

from delivery.commands.build import build
from delivery.commands.deploy import deploy
from delivery.commands.history import history
from delivery.commands.plan import plan
from delivery.commands.preflight import preflight
from delivery.commands.push import push
from delivery.commands.rollback import rollback
from delivery.commands.rotate import rotate
from delivery.commands.scan import scan
from delivery.commands.scan_image import scan_image
from delivery.commands.stacks import stacks
from delivery.commands.status import status
from delivery.terminal.plain import plain


class Steps(click.Group):
    """A group of commands whose failures may repeat what a log or an API said."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = plain(error.message)  # type: ignore[misc]  # final only by click's types
            raise


@click.group(cls=Steps, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Ship Colophon: from a commit to a site that serves it, and back."""


for command in (scan, build, scan_image, push, plan, preflight, deploy, status, history, rollback, rotate, stacks):
    main.add_command(command)
