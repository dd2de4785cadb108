"""Fixtures of the delivery's tests: a checkout, an AWS account and the command line."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from delivery.cli import main
from tests.delivery.aws.fake_account import FakeAccount
from tests.delivery.aws.fake_cli import RUN
from tests.delivery.aws.resources import REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result


OF_A_PIPELINE = ("CI_COMMIT_REF_NAME", "CI_PIPELINE_URL", "CI_PIPELINE_CREATED_AT", "SOURCE_DATE_EPOCH", "SCAN_OFFLINE")


@pytest.fixture(autouse=True)
def without_coverage(without_coverage: None) -> None:
    """The coverage is the site's, of which nothing runs here."""


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line, as if by hand: outside any pipeline."""
    for name in OF_A_PIPELINE:
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


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAccount]:
    """An account with a site on it, which the program `aws` speaks to, and short times."""
    folder = tmp_path / "bin"
    folder.mkdir()
    site = FakeAccount(folder)
    monkeypatch.setenv("PATH", os.pathsep.join((str(folder), str(Path(sys.executable).parent), os.environ["PATH"])))
    for name in [name for name in os.environ if name.startswith(("AWS_", "CI", "DELIVERY_", "GITLAB_"))]:
        if name != "AWS_DATA_PATH":  # by which the aws CLI, once it is imported, finds what it is made of
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_REGION", REGION)
    for name, value in {"POLL": "0", "PROOF_TIMEOUT": "5", "SCAN_TIMEOUT": "0", "VISIT": "0.05"}.items():
        monkeypatch.setenv(f"DELIVERY_{name}", value)
    monkeypatch.setattr(subprocess, "run", site.program.run)
    yield site
    site.close()


@pytest.fixture
def processes(aws: FakeAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `aws` be a program of its own, found on PATH, as it really is."""
    monkeypatch.setattr(subprocess, "run", RUN)


@dataclass(frozen=True)
class Commits:
    """Two commits of master: the `old` one runs, the image of the `new` one is in the registry."""

    old: str
    new: str


@pytest.fixture
def commits(aws: FakeAccount, git: Callable[..., str], root: Path) -> Commits:
    old = git("rev-parse", "HEAD")
    git("commit", "--allow-empty", "--message=Go on")
    new = git("rev-parse", "HEAD")
    aws.run(old)
    aws.push(new)
    return Commits(old, new)


@pytest.fixture
def first(aws: FakeAccount, git: Callable[..., str], root: Path) -> str:
    """A commit that would be the first to run: its image is in the registry, and the service has no tasks."""
    commit = git("rev-parse", "HEAD")
    aws.push(commit)
    aws.desired = 0
    return commit


@pytest.fixture
def deliver(runner: CliRunner, aws: FakeAccount, root: Path) -> Callable[..., Result]:
    """Run a command of the delivery, by its name, on the test's checkout."""

    def deliver(command: str, *options: str, **more: Any) -> Result:
        return runner.invoke(main, [command, "--root", str(root), *options], catch_exceptions=False, **more)

    return deliver


@pytest.fixture
def deploy(deliver: Callable[..., Result]) -> Callable[..., Result]:
    return functools.partial(deliver, "deploy")
