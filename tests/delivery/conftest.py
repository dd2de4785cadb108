"""What the tests of the delivery can use: a checkout of their own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line, as if by hand: outside any pipeline."""
    for name in (
        "CI_COMMIT_REF_NAME",
        "CI_PIPELINE_URL",
        "CI_PIPELINE_CREATED_AT",
        "SOURCE_DATE_EPOCH",
        "SCAN_OFFLINE",
    ):
        monkeypatch.delenv(name, raising=False)
    return CliRunner()


@pytest.fixture
def git(tmp_path: Path) -> Callable[..., str]:
    """Run Git in a new repository, which the test's `tmp_path / "checkout"` is."""
    root = tmp_path / "checkout"
    root.mkdir()

    def run(*arguments: str) -> str:
        dates = {"GIT_AUTHOR_DATE": "2026-03-01T12:00:00Z", "GIT_COMMITTER_DATE": "2026-03-01T12:00:00Z"}
        who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        return subprocess.run(
            ("git", *who, *arguments), cwd=root, env=dates, check=True, capture_output=True, text=True
        ).stdout.strip()

    run("init", "--initial-branch=master")
    return run


@pytest.fixture
def root(git: Callable[..., str], tmp_path: Path) -> Path:
    """A checkout with one commit, made at noon of 1 March 2026."""
    checkout = tmp_path / "checkout"
    (checkout / ".gitignore").write_text("/build/\n")
    (checkout / "src").mkdir()
    (checkout / "src/site.py").write_text("print('a site')\n")
    (checkout / "src/requirements.txt").write_text("flask==3.1.3\n")
    git("add", ".")
    git("commit", "--message=Begin")
    return checkout
