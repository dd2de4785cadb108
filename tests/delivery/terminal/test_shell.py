"""The commands that a step runs."""

import subprocess
import sys

import pytest

from delivery.terminal import shell
from delivery.terminal.shell import CommandError


def test_a_command_is_printed_as_a_shell_would_take_it_before_it_runs(capsys):
    assert shell.output("printf", "%s", "two words") == "two words"
    assert "$ printf %s 'two words'\n" in capsys.readouterr().err


def test_one_that_only_looks_is_not_printed(capsys):
    shell.output("true", quiet=True)
    assert capsys.readouterr().err == ""


def test_a_failure_names_the_command_its_code_and_its_last_words():
    with pytest.raises(CommandError) as failed:
        shell.output("sh", "-c", "echo first >&2; echo last >&2; exit 3")
    assert failed.value.code == 3
    assert "exit code 3: last" in failed.value.message
    assert failed.value.errors == "first\nlast\n"


@pytest.mark.parametrize("run", [shell.output, shell.run])
def test_a_program_that_is_not_there_is_said_to_be_missing(run):
    with pytest.raises(CommandError, match="no-such-program is not there"):
        run("no-such-program")


def test_a_shown_command_fails_by_its_code():
    with pytest.raises(CommandError, match="exit code 4"):
        shell.run("sh", "-c", "exit 4")


def test_colour_is_for_terminals_only():
    code = "from delivery.terminal import shell; shell.output('true')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr == "$ true\n"
