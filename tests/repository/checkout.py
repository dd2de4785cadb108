"""The files of this checkout, as Git lists them."""

import subprocess
from pathlib import Path

from tests.conftest import unavailable

ROOT = Path(__file__).parents[2]


def tracked(*arguments: str) -> list[str]:
    """Return the tracked files that `git ls-files` lists with these arguments."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        unavailable("this is no checkout, so nothing tells which files are its own")
    return listed.stdout.splitlines()
