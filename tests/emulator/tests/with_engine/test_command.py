"""The command: ready in a moment, gone without a trace, and plain about its errors."""

import os
import signal
import subprocess

import pytest

from tests.emulator import Emulator, docker
from tests.emulator.interface import LONGEST, PROGRAMS, ROOT
from tests.emulator.tests.with_engine.service import BASE, Service


def traces(aws):
    """Return what an emulator has made in the engine, in no order: the engine lists as it likes."""
    label = f"--filter=label=colophon.emulator={aws.registry.rpartition(':')[2]}"
    listed = ("ps --all --quiet", label), ("network ls --quiet", label), ("image ls --quiet", f"{aws.registry}/*")
    return {name for command in listed for name in docker(*command).split()}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, None], ids=["SIGTERM", "Ctrl-C", "its starter is gone"])
def test_nothing_is_left_when_it_ends(ready, how):
    aws = Emulator()
    try:
        aws("ecr", "create_repository", repositoryName="site")
        aws.log_in()
        assert len(Service(aws).tasks()) == 2
        guest = docker(f"run --detach --network={aws.state()['network']} {BASE} sleep 600").strip()
        assert len(traces(aws)) > 3
    finally:
        status = aws.end(how)
    docker(f"rm --force {guest}")
    assert status == 0
    assert traces(aws) == set()


def test_two_emulators_do_not_disturb_each_other(ready, aws):
    before = traces(aws)
    other = Emulator()
    assert other.url != aws.url
    assert other.end() == 0
    assert traces(aws) == before


def test_the_limitations_are_listed_with_the_reason(aws):
    limitations = aws.state()["limitations"]
    assert all(entry.keys() == {"what", "why"} and entry["why"] for entry in limitations)
    assert {"TLS", "RDS"} <= {entry["what"] for entry in limitations}


def refusal(*arguments, module=("-m", "tests.emulator"), **environment):
    """Return the complaint of a command that has to refuse its arguments or its machine."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
    words = [PROGRAMS / "python", *module, *arguments]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=LONGEST)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_without_an_engine_it_says_so_in_a_sentence(ready):
    said = refusal(DOCKER_HOST="unix:///nowhere.sock")
    assert said.startswith("The emulator runs tasks as containers, and no Docker engine answers here: ")


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--pace=0.5", "1 is AWS's own pace, and the slowest"),
        ("--database=books", "must be a URL such as postgresql://"),
        ("--port=none", "invalid int value"),
    ],
)
def test_a_mistaken_argument_is_refused_in_a_sentence(ready, argument, words):
    assert words in refusal(argument)


def test_a_port_that_is_taken_is_named(aws):
    port = aws.registry.rpartition(":")[2]
    assert refusal(f"--port={port}") == f"Port {port} of 127.0.0.1 is taken.\n"
    assert aws.state()


def test_the_next_emulator_at_a_port_removes_the_traces_of_a_killed_one(ready):
    killed = Emulator()
    assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    assert traces(killed)
    successor = Emulator(f"--port={killed.registry.rpartition(':')[2]}")
    try:
        assert len(traces(successor)) == 1  # its own network
    finally:
        successor.end()
    assert traces(successor) == set()


def test_with_another_ministack_it_says_so_in_a_sentence(ready):
    changed = "from tests.emulator import __main__ as command, upstream; upstream.VERSION = '9'"
    said = refusal(module=("-c", f"{changed}; raise SystemExit(command.main())"))
    assert "replaces parts of ministack 9, and 1.5.33 is installed" in said
