"""The commit that is built."""

from datetime import UTC, datetime

import click
import pytest

from delivery.release import checkout


def test_a_checkout_is_known_by_its_commit_branch_and_time(root, git, monkeypatch):
    monkeypatch.delenv("CI_COMMIT_REF_NAME", raising=False)
    found = checkout.read(root)
    assert found.commit == git("rev-parse", "HEAD")
    assert (found.ref, found.committed_at) == ("master", datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert found.changed == ()


def test_a_commit_without_a_branch_takes_its_name_from_the_pipeline(root, git):
    git("checkout", "--detach")
    assert checkout.read(root).ref is None
    assert checkout.read(root, "feature/covers").ref == "feature/covers"


def test_only_what_was_committed_is_copied(root, tmp_path):
    (root / "src/notes.txt").write_text("not for the public")
    (root / "src/site.py").write_text("print('half a thought')\n")
    found = checkout.read(root)
    found.copy("src", tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["requirements.txt", "site.py"]
    assert (tmp_path / "copy/site.py").read_text() == "print('a site')\n"
    assert sorted(found.changed) == ["src/notes.txt", "src/site.py"]


def test_what_is_copied_can_be_changed_by_no_other_user(root, tmp_path, monkeypatch):
    # As Pythons before 3.11.4 unpack it: the mode that is in the archive.
    monkeypatch.setattr("tarfile.data_filter", lambda member, _: member, raising=False)
    checkout.read(root).copy("src", tmp_path / "copy")
    assert {path.stat().st_mode & 0o022 for path in (tmp_path / "copy").rglob("*")} == {0}


@pytest.mark.parametrize("commits", [False, True])
def test_a_folder_without_a_commit_cannot_be_built(tmp_path, commits, git):
    folder = tmp_path / "checkout" if commits else tmp_path
    with pytest.raises(click.ClickException, match="no Git checkout with a commit"):
        checkout.read(folder)


def test_a_checkout_of_another_user_says_how_git_reads_it(root, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(click.ClickException, match=f"git config --global --add safe.directory {root}"):
        checkout.read(root)
