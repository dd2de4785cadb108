"""`make hooks`: what Git does before each commit of a contributor who wants it, and of no other."""

import os
import re
import resource
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.repository.checkout import ROOT

DOCSTRING = '"""Count."""\n\n'
CONFIG = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())


class Clone:
    """A repository with the menu and the hooks' configuration, and this environment."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("Makefile", "pyproject.toml", ".pre-commit-config.yaml"):
            shutil.copy(ROOT / name, folder / name)
        (folder / ".venv").symlink_to(sys.prefix)
        (folder / ".gitignore").write_text("/.venv\n/home\n")
        self.run("git", "init", "--quiet")
        self.commit("the first")

    def run(self, *command):
        # No configuration of this machine, and none of a repository whose hook runs this.
        own = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PREK_"))}
        own |= {"HOME": str(self.folder / "home"), "GIT_CONFIG_NOSYSTEM": "1"}
        own |= {f"GIT_{who}_{what}": "a@b.test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        return subprocess.run(
            command, cwd=self.folder, env=own, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )

    def commit(self, message, name="", content=""):
        """Commit a file, or what there is; return the exit code and what was printed."""
        if name:
            (self.folder / name).write_text(content)
        self.run("git", "add", "--all")
        done = self.run("git", "commit", "--quiet", "--message", message)
        return done.returncode, done.stdout

    def commits(self):
        return self.run("git", "log", "--format=%s").stdout.split("\n")[:-1]


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path)


@pytest.fixture
def hooked(clone):
    done = clone.run("make", "hooks", "SETUP=true")
    assert done.returncode == 0, done.stdout
    return clone


@pytest.mark.parametrize(
    ("name", "content", "hook"),
    [
        ("a.py", f"{DOCSTRING}import os\n", "ruff check"),
        ("a.py", f"{DOCSTRING}a = {{'one':1}}\n", "ruff format"),
        ("a.txt", "<<<<<<< HEAD\n=======\n>>>>>>> other\n", "check for merge conflicts"),
        ("a.txt", "1234567890" * 60_000, "check for added large files"),
    ],
)
def test_a_commit_with_a_fault_is_refused(hooked, name, content, hook):
    code, printed = hooked.commit("bad", name, content)
    assert code != 0
    assert re.findall(r"^(.+?)\.+Failed$", printed, re.MULTILINE) == [hook]
    assert hooked.commits() == ["the first"]


def test_a_good_commit_is_made_in_less_than_a_second_of_the_processor(hooked):
    code, printed = hooked.commit("good", "a.py", f"{DOCSTRING}ONE = 1\n")
    assert code == 0
    assert printed.count("Passed") == sum(len(repository["hooks"]) for repository in CONFIG["repos"])
    assert hooked.commits() == ["good", "the first"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    hooked.commit("better", "a.py", f"{DOCSTRING}TWO = 2\n")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1


def test_without_make_hooks_nothing_looks_at_a_commit(clone):
    assert clone.commit("bad", "a.py", "import os\n") == (0, "")


def test_what_the_menu_names_takes_them_away(hooked):
    (command,) = re.findall(r"\((\S+ uninstall) ends it\)", (ROOT / "Makefile").read_text())
    assert hooked.run(*command.split()).returncode == 0
    assert hooked.commit("bad", "a.py", "import os\n") == (0, "")


def test_nothing_is_fetched_for_them():
    assert {repository["repo"] for repository in CONFIG["repos"]} == {"local", "builtin"}
    assert {hook.get("language", "system") for repository in CONFIG["repos"] for hook in repository["hooks"]} == {
        "system"
    }
