""".ci/engine on a machine that is not ready yet. Its /usr is a folder of the test's, with stand-ins."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[2] / ".ci/engine"
# Another client, which is found as long as Debian's is not there. It cannot build.
OTHER_DOCKER = "echo 'the buildx component is missing' >&2; exit 1"
# Debian's: it has every image but the database's.
DOCKER = 'case "$*" in *postgres*) [ "$1" = build ] ;; esac'


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


class Machine:
    def __init__(self, folder):
        self._usr = folder / "usr"
        self.engine = folder / "engine"
        (folder / "var/log").mkdir(parents=True)
        self.engine.write_text(re.sub(r"/(?=usr/|var/)", f"{folder}/", ENGINE.read_text()))
        self.program("local/bin/docker", OTHER_DOCKER)
        self.program("bin/pgrep", "true")
        self.program("bin/sleep", "true")
        self.program("bin/apt-get", f'[ "$1" != install ] || mv "{self._usr}/packages/docker" "{self._usr}/bin/docker"')
        self.program("packages/docker", DOCKER)

    def program(self, name, script):
        path = self._usr / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(self, *command):
        path = f"{self._usr}/local/bin:{os.environ['PATH']}"
        return subprocess.run(
            ["/bin/bash", self.engine, *command],
            env={"PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def test_the_client_that_it_installs_is_the_one_that_it_goes_on_with(machine):
    done = machine.run("sh", "-c", 'echo "$BASE $POSTGRES_IMAGE $CADDY_IMAGE"; docker build')
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "colophon-stand-in/python:3.13 colophon-stand-in/postgres:17 colophon-stand-in/caddy:2.11\n"


def test_a_command_ends_it_with_its_own_code(machine):
    assert machine.run("sh", "-c", "exit 7").returncode == 7


@pytest.mark.parametrize(
    ("program", "script"),
    [("bin/apt-get", "exit 100"), ("packages/docker", f'[ "$1" != build ] || exit 1; {DOCKER}')],
    ids=["nothing can be installed", "an image cannot be made"],
)
def test_no_command_is_run_on_a_machine_that_is_not_ready(machine, program, script):
    machine.program(program, script)
    done = machine.run("echo", "ran")
    assert done.returncode != 0
    assert done.stdout == ""


def test_the_log_of_an_engine_that_ends_at_once_is_shown(machine):
    machine.program("packages/docker", '[ "$1" != info ]')
    machine.program("bin/pgrep", "false")
    machine.program("bin/dockerd", "echo no room >&2; exit 1")
    done = machine.run("echo", "ran")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "no room\n")
