"""Building the image with whichever client stands first in PATH. This one notes what it is told, and builds nothing."""

import os

import pytest

from delivery.cli import main

DOCKER = """#!/bin/sh
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

    def run(version, *, plugin):
        program.write_text(DOCKER.format(version=version, no_plugin=0 if plugin else 1, log=log))
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
