"""The command: ready in a moment, gone without a trace, and plain about what it cannot do."""

import os
import signal
import subprocess

import pytest

from tests.emulator.interface import BASE, PROGRAMS, ROOT, Emulator, docker
from tests.emulator.tests.with_engine.service import Service
from tests.waiting import LONGEST


def traces(aws):
    """What an emulator has made in the engine."""
    port = aws.registry.rpartition(":")[2]
    label = f"--filter=label=colophon.rehearsal={port}"
    return [
        *docker("ps", "--all", "--quiet", label).split(),
        *docker("network", "ls", "--quiet", label).split(),
        *docker("image", "ls", "--quiet", f"{aws.registry}/*").split(),
    ]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, None], ids=["SIGTERM", "Ctrl-C", "its starter is gone"])
def test_nothing_is_left_when_it_ends(ready, how):
    aws = Emulator()
    try:
        aws("ecr", "create_repository", repositoryName="site")
        aws.log_in()
        service = Service(aws)
        assert len(service.tasks()) == 2
        guest = docker("run", "--detach", f"--network={aws.state()['network']}", BASE, "sleep", "600").strip()
        assert len(traces(aws)) > 3
    finally:
        status = aws.end(how)
    docker("rm", "--force", guest)
    assert status == 0
    assert traces(aws) == []


def test_two_of_them_do_not_disturb_each_other(ready, aws):
    before = traces(aws)
    other = Emulator()
    assert other.url != aws.url
    assert other.end() == 0
    assert traces(aws) == before


def test_what_is_only_pretended_is_listed_with_the_reason(aws):
    limitations = aws.state()["limitations"]
    assert all(entry.keys() == {"what", "why"} and entry["why"] for entry in limitations)
    assert {"TLS", "RDS"} <= {entry["what"] for entry in limitations}


def run(program, **environment):
    return subprocess.run(
        [PROGRAMS / "python", *program],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST,
    )


def test_without_an_engine_it_says_so_in_a_sentence(ready):
    done = run(["-m", "tests.emulator"], DOCKER_HOST="unix:///nowhere.sock")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("The emulator runs tasks as containers, and no Docker engine answers here: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--pace=0.5", "1 is AWS's own pace, and the slowest"),
        ("--database=books", "must be a URL such as postgresql://"),
        ("--port=none", "invalid int value"),
    ],
)
def test_a_mistaken_argument_is_refused_in_a_sentence(ready, argument, words):
    done = run(["-m", "tests.emulator", argument])
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(aws):
    port = aws.registry.rpartition(":")[2]
    done = run(["-m", "tests.emulator", f"--port={port}"])
    assert done.returncode == 2
    assert done.stderr == f"Port {port} of 127.0.0.1 is taken.\n"
    assert aws.state()


def test_what_one_that_was_killed_left_is_removed_by_the_next_at_its_port(ready):
    killed = Emulator()
    assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    assert traces(killed)
    successor = Emulator(f"--port={killed.registry.rpartition(':')[2]}")
    try:
        assert len(traces(successor)) == 1  # its own network
    finally:
        successor.end()
    assert traces(successor) == []


def test_with_another_ministack_it_says_so_in_a_sentence(ready):
    changed = "from tests.emulator import __main__ as command, upstream; upstream.VERSION = '9'"
    done = run(["-c", f"{changed}; raise SystemExit(command.main())"])
    assert done.returncode == 2
    assert "replaces parts of ministack 9, and 1.5.33 is installed" in done.stderr
    assert "Traceback" not in done.stderr
