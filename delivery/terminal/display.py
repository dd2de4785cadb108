"""A deployment's display: a live block on a terminal, elsewhere a line for each change."""

from __future__ import annotations

import shutil
import sys

import click

from delivery.terminal import shell

COLOURS = {"ok": "green", "warning": "yellow", "refused": "red"}


class Display:
    """The display of one deployment."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._drawn: list[str] = []
        shell.make_room[:] = [self.settle]

    def step(self, title: str) -> None:
        """Begin a step."""
        self.settle()
        click.secho(f"== {title}", bold=True)

    def line(self, text: str, colour: str | None = None) -> None:
        """Print a line."""
        self.settle()
        click.secho(text, fg=colour)

    def check(self, name: str, verdict: str, found: str) -> None:
        """Print the result of a check."""
        self.settle()
        click.echo(f"{click.style(f'{verdict:<8}', fg=COLOURS[verdict])} {name}: {found}")

    def block(self, lines: list[str], moving: str) -> None:
        """Show the progress: in place on a terminal, elsewhere only if `lines` changed, not just `moving` counters."""
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
        """Leave the live block where it is; what follows is printed below."""
        if self._live:
            self._drawn = []
