"""The checkout that is built: a commit of a Git repository."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from subprocess import run
from typing import TYPE_CHECKING

import click

from delivery.terminal.shell import CommandError, announce, output

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Checkout:
    """A commit: 40 hexadecimal digits, the branch or tag that it was reached by (None for none), and its time."""

    root: Path
    commit: str
    ref: str | None
    committed_at: datetime
    changed: tuple[str, ...]

    def copy(self, folder: str, into: Path) -> None:
        """Copy a folder as the commit has it, nothing else that lies there. Raises CommandError."""
        # Git would let the group write; and only newer Pythons take that away.
        command = ("git", "-c", "tar.umask=0022", "archive", f"{self.commit}:{folder}")
        announce(command)
        ended = run(command, cwd=self.root, check=False, capture_output=True)  # noqa: S603 -- no shell
        if ended.returncode:
            raise CommandError(command, ended.returncode, ended.stderr.decode(errors="replace"))
        with tarfile.open(fileobj=BytesIO(ended.stdout)) as archive:
            # Python knows this filter since 3.11.4.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(into)  # noqa: S202 -- Git's own archive of this very repository


def read(root: Path, ref: str | None = None) -> Checkout:
    """Return the commit that is checked out, by the branch or tag `ref` or its own. Raises ClickException for none."""
    try:
        commit = _git(root, "rev-parse", "--verify", "HEAD^{commit}")
    except CommandError as error:
        if "safe.directory" in error.errors:
            raise click.ClickException(
                f"{root} belongs to another user. Git reads it after `git config --global --add safe.directory {root}`."
            ) from None
        raise click.ClickException(f"{root} is no Git checkout with a commit, and only a commit is built.") from None
    return Checkout(
        root=root,
        commit=commit,
        ref=ref or _git(root, "branch", "--show-current") or None,
        committed_at=datetime.fromtimestamp(int(_git(root, "show", "--no-patch", "--format=%ct", commit)), UTC),
        changed=tuple(line[3:] for line in _git(root, "status", "--porcelain", strip=False).splitlines()),
    )


def _git(root: Path, *arguments: str, strip: bool = True) -> str:
    text = output("git", *arguments, cwd=root, quiet=True)
    return text.strip() if strip else text
