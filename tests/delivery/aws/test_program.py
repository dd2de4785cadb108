"""The aws CLI that makes the calls."""

import os
import re

import click
import pytest

from delivery.aws import program
from delivery.aws.errors import AwsError
from delivery.terminal.shell import CommandError

V2 = "echo aws-cli/2.36.17 Python/3.14.8 Linux/6.1"


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """The locked version 1, in a folder of its own."""
    monkeypatch.setattr(program, "LOCKED", make(tmp_path / "venv", "exit 1"))
    monkeypatch.setattr(program.metadata, "version", lambda _: "1.46.3")
    return program.LOCKED


def make(folder, script):
    """Make a program `aws` in a folder, and return its path."""
    folder.mkdir()
    path = folder / "aws"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def chosen(locked, monkeypatch, capsys):
    """Choose among the folders of a PATH; return the program's folder, and what is said of it."""

    def choose(*folders, wanted=None):
        program._folder.cache_clear()
        monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))
        monkeypatch.delenv("DELIVERY_AWS_CLI", raising=False)
        if wanted is not None:
            monkeypatch.setenv("DELIVERY_AWS_CLI", wanted)
        folder = program.variables()["PATH"].split(os.pathsep)[0]
        return folder, capsys.readouterr().err

    yield choose
    program._folder.cache_clear()


def test_version_2_is_used_where_the_machine_has_it(chosen, locked, tmp_path):
    machine = make(tmp_path / "machine", V2)
    folder, said = chosen(locked.parent, machine.parent)
    assert folder == str(machine.parent)
    assert said == f"The aws CLI is {machine}, version 2.36.17.\n"


def test_it_is_said_once(chosen, locked, tmp_path, capsys):
    chosen(make(tmp_path / "machine", V2).parent)
    program.variables()
    assert capsys.readouterr().err == ""


def test_without_one_the_locked_version_1_is_used(chosen, locked, tmp_path):
    folder, said = chosen(tmp_path)
    assert folder == str(locked.parent)
    assert said == f"The aws CLI is {locked}, version 1.46.3, for no other is on the PATH.\n"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo aws-cli/2.9.19 Python/3.11.2", "is version 2.9.19, and of version 2 one from 2.31 on is needed"),
        ("echo aws-cli/1.29.1 Python/3.9", "is version 1.29.1, and of version 2 one from 2.31 on is needed"),
        ("echo aws-cli/3.0.0", "is version 3.0.0, and of version 2 one from 2.31 on is needed"),
        (
            "echo pyenv: aws: command not found >&2; exit 127",
            r"does not tell its version \(pyenv: aws: command not found\)",
        ),
        ("exit 3", r"does not tell its version \(exit code 3\)"),
    ],
)
def test_one_that_is_too_old_or_broken_is_told_in_one_sentence_and_not_used(chosen, locked, tmp_path, script, why):
    machine = make(tmp_path / "machine", script)
    folder, said = chosen(machine.parent)
    assert folder == str(locked.parent)
    assert re.fullmatch(f"The aws CLI is {locked}, version 1.46.3, for {machine} {why}.\n", said)


def test_one_that_cannot_be_run_is_told_too(chosen, locked, tmp_path):
    machine = make(tmp_path / "machine", "")
    machine.write_text("#!/no/such/interpreter\n")
    assert f"for {machine} cannot be run (No such file or directory)." in chosen(machine.parent)[1]


def test_a_variable_can_demand_either(chosen, locked, tmp_path):
    machine = make(tmp_path / "machine", V2)
    assert chosen(machine.parent, wanted="2")[0] == str(machine.parent)
    folder, said = chosen(machine.parent, wanted="1")
    assert folder == str(locked.parent)
    assert "for DELIVERY_AWS_CLI is 1." in said


@pytest.mark.parametrize(
    ("wanted", "why"), [("2", "is 2, and no other is on the PATH"), ("v2", "'v2' is neither 1 nor 2")]
)
def test_a_demand_that_cannot_be_met_is_wrong_usage(chosen, tmp_path, wanted, why):
    with pytest.raises(click.UsageError, match=f"DELIVERY_AWS_CLI.* {why}"):
        chosen(tmp_path, wanted=wanted)


def test_where_there_is_none_at_all_that_is_the_cause(chosen, locked, tmp_path):
    locked.unlink()
    with pytest.raises(CommandError) as failed:
        chosen(tmp_path)
    cause = AwsError(failed.value).cause
    assert (cause.kind, cause.evidence) == ("no-aws", ("no other is on the PATH",))


def test_a_deployment_says_once_which_it_uses(deploy, aws, commits):
    program._folder.cache_clear()
    assert re.findall(r"The aws CLI is .*", deploy().output) == [f"The aws CLI is {aws.program.path}, version 2.36.17."]
