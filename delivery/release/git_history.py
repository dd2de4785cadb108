"""Which commit comes before which, and which migrations lie between them."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import click

from delivery.terminal.shell import CommandError, output

if TYPE_CHECKING:
    from pathlib import Path

# In any folder: a release before the last may have had them in another one.
MIGRATIONS = ":(glob)src/colophon/**/migrations/versions/*.py"


class Order(Enum):
    """The place of a commit in the history, seen from another."""

    SAME = "the same"
    NEWER = "newer"
    OLDER = "older"
    DIVERGED = "on another branch"


def order(root: Path, commit: str, seen_from: str) -> Order:
    """Return where a commit stands, seen from another. Raises ClickException when this checkout does not know one."""
    if commit == seen_from:
        return Order.SAME
    for each in (commit, seen_from):
        _require(root, each)
    if _is_ancestor(root, seen_from, commit):
        return Order.NEWER
    return Order.OLDER if _is_ancestor(root, commit, seen_from) else Order.DIVERGED


def migrations(root: Path, older: str, newer: str) -> list[str]:
    """Return the migrations that one commit has and an older one has not, by file name, in order.

    Raises ClickException when this checkout does not know a commit.
    """
    for each in (older, newer):
        _require(root, each)
    # Three dots would count from where the two parted; these two are what the database has seen.
    names = output(
        "git",
        "diff",
        "--name-only",
        "-M",
        "--diff-filter=A",
        older,
        newer,
        "--",
        MIGRATIONS,
        cwd=root,
        quiet=True,
    )
    return sorted(name.rsplit("/", 1)[-1] for name in names.splitlines())


def _require(root: Path, commit: str) -> None:
    """Have a commit in this checkout; a shallow one, as GitLab's are, fetches its history."""
    if _knows(root, commit):
        return
    if output("git", "rev-parse", "--is-shallow-repository", cwd=root, quiet=True).strip() == "true":
        try:
            output("git", "fetch", "--quiet", "--unshallow", "origin", cwd=root)
        except CommandError as error:
            raise click.ClickException(
                f"This checkout is shallow, does not know {commit[:12]}, and could not fetch its history "
                f"({error.message}). In .gitlab-ci.yml, GIT_DEPTH: 0 has all of it from the start."
            ) from None
        if _knows(root, commit):
            return
    raise click.ClickException(f"This checkout does not know the commit {commit[:12]}. Try `git fetch`.")


def _knows(root: Path, commit: str) -> bool:
    try:
        output("git", "cat-file", "-e", f"{commit}^{{commit}}", cwd=root, quiet=True)
    except CommandError:
        return False
    return True


def _is_ancestor(root: Path, older: str, newer: str) -> bool:
    try:
        output("git", "merge-base", "--is-ancestor", older, newer, cwd=root, quiet=True)
    except CommandError as error:
        if error.code != 1:
            raise
        return False
    return True
