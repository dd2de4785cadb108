"""The commands that a step runs. Each is printed before it runs, so that a person can replay it by hand."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from delivery.terminal.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


# The signals that end a program from outside. One that catches the signal first ends with 128 and its number.
ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM)


class CommandError(click.ClickException):
    """A command failed. `code` is its exit code, `errors` what it wrote to standard error.

    `killed` is the signal that ended it, None for one that ended by itself: what it did until then is not known.
    """

    def __init__(self, command: tuple[str, ...], code: int, errors: str) -> None:
        self.command, self.code, self.errors = command, code, errors
        self.killed = next((each.name for each in ENDING if code in (-each, 128 + each)), None)
        last = errors.strip().rsplit("\n", 1)[-1] or "no output"
        end = f"was ended by {self.killed}" if self.killed else f"ended with exit code {code}: {last}"
        super().__init__(f"`{shlex.join(command)}` {end}")


def environment(extra: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """Return the variables of commands: this process's, the given ones, and a PATH with this environment's tools.

    A given None takes a variable away. A PATH that has the tools of this environment is left in the order it is in.
    """
    tools, path = str(Path(sys.executable).parent), os.environ["PATH"]
    if tools not in path.split(os.pathsep):
        path = f"{tools}{os.pathsep}{path}"
    changed = os.environ | {"PATH": path} | dict(extra or {})
    return {name: value for name, value in changed.items() if value is not None}


# Called before a command is printed, so that a live display can step aside.
make_room: list[Callable[[], None]] = []


def announce(command: tuple[str, ...]) -> None:
    """Print a command as a shell would take it, to standard error: a step's own output stays for others to read."""
    for make in make_room:
        make()
    click.secho(f"$ {plain(shlex.join(command))}", err=True, dim=True)


def output(
    *command: str,
    cwd: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    quiet: bool = False,
    shielded: bool = False,
    given: str | None = None,
) -> str:
    """Run a command and return what it wrote to standard output.

    A `quiet` one, which only looks, is not printed. A `shielded` one is not ended by a Ctrl-C at this terminal, which
    otherwise reaches every program that runs in it. `given` is what the command reads from standard input. Raises
    CommandError when it fails or is not there.
    """
    if not quiet:
        announce(command)
    try:
        ended = subprocess.run(  # noqa: S603 -- a list of words, no shell
            command,
            cwd=cwd,
            env=environment(env),
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            input=given,
            process_group=0 if shielded else None,
        )
    except FileNotFoundError as error:
        raise CommandError(command, 127, f"{error.filename} is not there") from None
    if ended.returncode:
        raise CommandError(command, ended.returncode, ended.stderr)
    return ended.stdout


def run(*command: str, cwd: Path | None = None, env: Mapping[str, str | None] | None = None) -> None:
    """Run a command whose output is for people, to read while it works. Raises CommandError as `output` does."""
    announce(command)
    try:
        code = subprocess.run(command, cwd=cwd, env=environment(env), check=False).returncode  # noqa: S603 -- as above
    except FileNotFoundError as error:
        raise CommandError(command, 127, f"{error.filename} is not there") from None
    if code:
        raise CommandError(command, code, "see its output above")
