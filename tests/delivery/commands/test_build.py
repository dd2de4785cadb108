"""Building the image with whichever client stands first in PATH. This one notes what it is told, and builds nothing."""

import os
import subprocess

import pytest

from delivery.cli import main
from delivery.release import checkout, image

DOCKER = """#!/bin/sh
{answers} || {{ echo "Cannot connect to the Docker daemon" >&2; exit 1; }}
case "$1" in
  version) echo {version} ;;
  buildx) exit {no_plugin} ;;
  *) echo "$BUILDX_NO_DEFAULT_ATTESTATIONS $*" >> {log}; exit 9 ;;
esac
"""


@pytest.fixture
def build(runner, root, tmp_path, monkeypatch):
    """Build with a client of a version, and return how that ended and what the client was told."""
    log, program = tmp_path / "docker.log", tmp_path / "bin/docker"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def run(version, *, plugin=True, answers=True):
        no_plugin, answers = 0 if plugin else 1, "true" if answers else "false"
        program.write_text(DOCKER.format(version=version, no_plugin=no_plugin, log=log, answers=answers))
        program.chmod(0o755)
        ended = runner.invoke(main, ["build", "--root", str(root)])
        return ended, log.read_text().splitlines() if log.exists() else []

    return run


def test_a_client_without_a_builder_is_named_with_what_to_do(build, tmp_path):
    ended, told = build("28.2.2", plugin=False)
    assert ended.exit_code == 1
    assert ended.output == (
        f"Error: {tmp_path}/bin/docker (28.2.2) has no builder: install its plugin, docker-buildx or "
        "docker-buildx-plugin, or put another client first in PATH.\n"
    )
    assert told == []


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("", "start it, or make `docker` find it."),
        (
            "true",
            "this looks like a hosted runner, which has none for jobs: in GitLab's settings, CI/CD, Runners, turn "
            "instance runners off, so that the project's own take its jobs (delivery/runner/README.md).",
        ),
    ],
    ids=["by hand", "in a job"],
)
def test_where_no_engine_answers_it_is_said_in_one_sentence(build, monkeypatch, job, said):
    monkeypatch.setenv("CI", job)
    ended, told = build("29.1.0", answers=False)
    assert (ended.exit_code, told) == (1, [])
    assert ended.output == f"Error: No container engine answers: {said}\n"


@pytest.mark.parametrize(
    ("version", "plugin"), [("20.10.24+dfsg1", False), ("23.0.0", True), ("29.1.0", True)], ids=str
)
def test_a_client_with_a_builder_makes_an_image_without_attestations(build, version, plugin):
    ended, told = build(version, plugin=plugin)
    assert "has no builder" not in ended.output
    assert told[0].startswith("1 build --target site ")


def test_two_builds_of_one_commit_share_no_name(build):
    build("29.1.0", plugin=True)
    _, (first, second) = build("29.1.0", plugin=True)
    names = [line.split()[line.split().index("--tag") + 1] for line in (first, second)]
    assert names[0] != names[1]


def test_the_images_of_one_commit_in_two_folders_have_names_of_their_own(root, tmp_path):
    subprocess.run(["git", "clone", "--quiet", str(root), str(tmp_path / "other")], check=True)
    (tmp_path / "link").symlink_to(root)
    here, there, again = (image.name(checkout.read(path)) for path in (root, tmp_path / "other", tmp_path / "link"))
    commit = checkout.read(root).commit
    assert {here.rpartition("-")[0], there.rpartition("-")[0]} == {f"colophon:{commit}"}
    assert here != there
    assert here == again
