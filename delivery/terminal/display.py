"""A deployment's display: a live block on a terminal, elsewhere a line for each change."""

from __future__ import annotations

import shutil
import sys

import click

from delivery.terminal import shell
from delivery.terminal.plain import plain

COLOURS = {"ok": "green", "warning": "yellow", "refused": "red"}


class Display:
    """The display of one deployment; what it prints may come from a log or from an API."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._drawn: list[str] = []
        shell.make_room[:] = [self.settle]

    def step(self, title: str) -> None:
        """Begin a step."""
        self.settle()
        click.secho(f"== {plain(title)}", bold=True)

    def line(self, text: str, colour: str | None = None) -> None:
        """Print a line."""
        self.settle()
        click.secho(plain(text), fg=colour)

    def check(self, name: str, verdict: str, found: str) -> None:
        """Print the result of a check."""
        self.settle()
        click.echo(f"{click.style(f'{verdict:<8}', fg=COLOURS[verdict])} {plain(f'{name}: {found}')}")

    def block(self, lines: list[str], moving: str) -> None:
        """Show the progress: in place on a terminal, elsewhere only if `lines` changed, not just `moving` counters."""
        lines, moving = [*map(plain, lines)], plain(moving)
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
