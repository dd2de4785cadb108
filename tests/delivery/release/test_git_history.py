"""Which commit comes before which, in a whole checkout and in a shallow one."""

import subprocess

import click
import pytest

from delivery.release import git_history
from delivery.release.git_history import Order


@pytest.fixture
def commit(git, root):
    """Make a commit, with a file in it, and return its name."""

    def commit(path="file", content="x"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
        git("add", ".")
        git("commit", "--allow-empty", f"--message={path}")
        return git("rev-parse", "HEAD")

    return commit


def test_commits_of_one_line_are_older_and_newer(root, commit):
    one, two = commit("a"), commit("b")
    assert git_history.order(root, one, one) is Order.SAME
    assert git_history.order(root, two, one) is Order.NEWER
    assert git_history.order(root, one, two) is Order.OLDER


def test_commits_of_two_lines_are_apart(root, git, commit):
    base = commit("a")
    one = commit("b")
    git("reset", "--quiet", "--hard", base)
    assert git_history.order(root, commit("c"), one) is Order.DIVERGED


def test_a_commit_that_is_not_known_is_said_to_be(root, commit):
    with pytest.raises(click.ClickException, match="does not know the commit 111111111111"):
        git_history.order(root, commit(), "1" * 40)


def test_a_shallow_checkout_fetches_its_history(root, commit, tmp_path):
    one, _, three = commit("a"), commit("b"), commit("c")
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{root}", shallow], check=True)
    assert git_history.order(shallow, three, one) is Order.NEWER


def test_a_shallow_checkout_that_cannot_says_what_to_set(root, commit, tmp_path):
    one, two = commit("a"), commit("b")
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{root}", shallow], check=True)
    subprocess.run(["git", "remote", "set-url", "origin", "file:///nowhere"], cwd=shallow, check=True)
    with pytest.raises(click.ClickException, match="GIT_DEPTH: 0"):
        git_history.order(shallow, two, one)


def test_the_migrations_between_are_those_that_were_added(root, commit):
    commit("src/colophon/database/migrations/versions/0001_first.py")
    one = commit("other")
    commit("src/colophon/database/migrations/versions/0003_third.py")
    commit("src/colophon/database/migrations/versions/0001_first.py", "a comment was mended")
    two = commit("src/colophon/database/migrations/versions/0002_second.py")
    assert git_history.migrations(root, one, two) == ["0002_second.py", "0003_third.py"]
    assert git_history.migrations(root, two, one) == []


def test_a_migration_that_moved_was_not_added(root, commit, git):
    one = commit("src/colophon/migrations/versions/0001_first.py", "revision = '0001'\n" * 9)
    (root / "src/colophon/database").mkdir()
    git("mv", "src/colophon/migrations", "src/colophon/database/migrations")
    two = commit("src/colophon/database/migrations/versions/0002_second.py", "revision = '0002'\n")
    assert git_history.migrations(root, one, two) == ["0002_second.py"]
