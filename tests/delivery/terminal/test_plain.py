"""Text from outside drives neither the terminal nor the pipeline that shows it."""

import re

import click
import pytest
from click.testing import CliRunner

from delivery.cli import Steps
from delivery.deployment.outcomes import Cause, Ended, Outcome
from delivery.terminal import shell
from delivery.terminal.display import Display
from delivery.terminal.plain import plain

OUTSIDE = [
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b2J\x7f\u202eowned\u2028",
    "section_start:1:owned\r\x1b[0K",
    "a line\n::add-mask::owned",
    "a line\n \t::stop-commands::owned",
    "owned ##[command]owned ###[group]",
]


def is_obeyed(written):
    """Return True for what a terminal, GitLab's log or GitHub's runner would obey."""
    characters = any(not (char.isprintable() or char in "\t\n") for char in written)
    return characters or "##[" in written or re.search(r"^\s*::", written, re.MULTILINE) is not None


@pytest.mark.parametrize("outside", OUTSIDE)
def test_text_from_outside_is_shown_and_not_obeyed(outside):
    assert is_obeyed(outside)
    assert not is_obeyed(plain(outside))
    assert "owned" in plain(outside)


@pytest.mark.parametrize("text", ["Élan: “ok”…\n\tnext", "a::b", "#1 ## [x]", "http://[::1]:8000/"])
def test_other_text_stays_as_it_is(text):
    assert plain(text) == text


@pytest.mark.parametrize("outside", OUTSIDE)
def test_neither_does_the_display_of_a_deployment(capsys, outside):
    display = Display()
    display.step(outside)
    display.line(outside)
    display.check(outside, "refused", outside)
    display.block([outside], outside)
    shell.announce(("aws", outside))
    written = capsys.readouterr()
    assert not is_obeyed(written.out + written.err)
    assert (written.out + written.err).count("owned") >= 7


@pytest.mark.parametrize("outside", OUTSIDE)
@pytest.mark.parametrize(
    "error",
    [
        click.ClickException,
        lambda outside: shell.CommandError(("aws",), 1, outside),
        lambda outside: Ended(Outcome.FAILED, Cause("kind", outside, (outside,), outside), {outside: True}),
    ],
    ids=["a sentence", "a command's output", "a cause"],
)
def test_neither_does_a_failure(outside, error):
    @click.group(cls=Steps)
    def steps():
        pass

    @steps.command()
    def fail():
        raise error(outside)

    written = CliRunner().invoke(steps, ["fail"]).output
    assert "owned" in written
    assert not is_obeyed(written)
