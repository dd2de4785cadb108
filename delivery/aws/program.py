"""The aws CLI that makes the calls: version 2 where the PATH has it, else the locked version 1.

docs/adr/0001-aws-cli.md says why, and until when.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

import click

from delivery.settings import AWS_CLI
from delivery.terminal.shell import CommandError

# Later than July 2025, when ECS's deployments got the stages and the bake time that are read here.
LEAST = (2, 31)
LOCKED = Path(sys.executable).with_name("aws")
# Version 2 can be set up to show a pager, to ask for what lacks, and to write errors in other forms.
PLAIN = {"AWS_PAGER": "", "AWS_CLI_AUTO_PROMPT": "off", "AWS_CLI_ERROR_FORMAT": "legacy"}


class Unfit(Exception):
    """A program cannot make the calls. The message names it, and says why."""


def variables() -> dict[str, str]:
    """Return the variables of a call, with a PATH on which `aws` is found. Raises UsageError and CommandError.

    The first call tells which program that is, and its version.
    """
    path = os.environ["PATH"]
    return {**PLAIN, "PATH": f"{_folder(path, os.environ.get(AWS_CLI, ''))}{os.pathsep}{path}"}


@cache
def _folder(path: str, wanted: str) -> str:
    """Return the folder of the program. `wanted` is a version: 1, 2 or, for either, nothing."""
    if wanted not in ("", "1", "2"):
        raise click.UsageError(f"{AWS_CLI}: {wanted!r} is neither 1 nor 2.")
    why = f"{AWS_CLI} is 1"
    if wanted != "1":
        try:
            found = _on(path)
            return _use(found, version(found))
        except Unfit as unfit:
            why = str(unfit)
        if wanted == "2":
            raise click.UsageError(f"{AWS_CLI} is 2, and {why}.")
    if not LOCKED.exists():
        raise CommandError(("aws",), 127, why)
    return _use(str(LOCKED), metadata.version("awscli"), f", for {why}")


def _on(path: str) -> str:
    """Return the first `aws` on a PATH, but for the locked one. Raises Unfit when there is none."""
    others = [folder for folder in path.split(os.pathsep) if Path(folder) != LOCKED.parent]
    found = shutil.which("aws", path=os.pathsep.join(others))
    if not found:
        raise Unfit("no other is on the PATH")
    return found


def version(program: str) -> str:
    """Return the version of an aws CLI. Raises Unfit for any but a version 2 that is new enough."""
    try:
        done = subprocess.run((program, "--version"), check=False, capture_output=True, text=True, errors="replace")  # noqa: S603 -- no shell
    except OSError as error:
        raise Unfit(f"{program} cannot be run ({error.strerror})") from None
    found = re.match(r"aws-cli/((\d+)\.(\d+)\S*)", done.stdout)
    if done.returncode or not found:
        said = (done.stderr or done.stdout).strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        raise Unfit(f"{program} does not tell its version ({said})")
    number = (int(found[2]), int(found[3]))
    if number < LEAST or number[0] != LEAST[0]:
        raise Unfit(f"{program} is version {found[1]}, and of version 2 one from {LEAST[0]}.{LEAST[1]} on is needed")
    return found[1]


def _use(program: str, number: str, why: str = "") -> str:
    click.secho(f"The aws CLI is {program}, version {number}{why}.", err=True, dim=True)
    return str(Path(program).parent)
