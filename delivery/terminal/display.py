"""What people see while a deployment runs: on a terminal a live block, elsewhere a line when something changed."""

from __future__ import annotations

import shutil
import sys

import click

from delivery.terminal import shell

COLOURS = {"ok": "green", "warning": "yellow", "refused": "red"}


class Display:
    """Where a deployment says what it does."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._drawn: list[str] = []
        shell.make_room[:] = [self.settle]

    def step(self, title: str) -> None:
        """Begin a step."""
        self.settle()
        click.secho(f"== {title}", bold=True)

    def line(self, text: str, colour: str | None = None) -> None:
        """Say something for good."""
        self.settle()
        click.secho(text, fg=colour)

    def check(self, name: str, verdict: str, found: str) -> None:
        """Say what a check found."""
        self.settle()
        click.echo(f"{click.style(f'{verdict:<8}', fg=COLOURS[verdict])} {name}: {found}")

    def block(self, lines: list[str], moving: str) -> None:
        """Show how things stand, on a terminal in place; a change of `moving` alone is nothing new."""
        if not self._live:
            if lines != self._drawn:
                click.echo("; ".join(filter(None, [*lines, moving])))
            self._drawn = lines
            return
        if self._drawn:
            click.echo(f"\033[{len(self._drawn)}F\033[J", nl=False)
        # A line that wraps would be two to go back over.
        width = shutil.get_terminal_size().columns - 1
        self._drawn = [line[:width] for line in (*lines, moving) if line]
        click.echo("\n".join(self._drawn))

    def settle(self) -> None:
        """Leave what is shown where it is; what follows stands below."""
        if self._live:
            self._drawn = []
