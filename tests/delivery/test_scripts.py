"""The scripts that other programs start: each is one to the shell that it names."""

import os
import subprocess

import pytest

from delivery.environments import ROOT

SCRIPTS = [
    path
    for folder in (".ci", "delivery")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.is_file() and path.read_bytes().startswith(b"#!")
]


def read_by_its_shell(path):
    """Let the shell of the first line read a script without running it."""
    shell = path.read_bytes().splitlines()[0].removeprefix(b"#!").decode()
    return subprocess.run([shell, "-n", path], capture_output=True, text=True)


def test_the_scripts_are_found():
    assert {ROOT / ".ci/packages", ROOT / ".ci/postgres/docker-entrypoint.sh", ROOT / "delivery/runner/start"} < set(
        SCRIPTS
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_it_can_be_started_and_its_shell_can_read_it(script):
    assert os.access(script, os.X_OK)
    ended = read_by_its_shell(script)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("wrong", ["if true; then echo", "echo 'open"])
def test_what_the_shell_cannot_read_is_found(tmp_path, wrong):
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\n{wrong}\n")
    assert read_by_its_shell(script).returncode != 0
