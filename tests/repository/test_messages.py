"""messages.txt has every message and help text, to be read at one go; a review shows what changed in it."""

import difflib

import click
import pytest

from tests.repository import messages

SOURCE = '''
"""The docstring of a module."""

LOST = {1: "The server is gone."}


def find(name: str, count: int) -> str:
    """Return what is found."""
    if "no such file" in name:
        log.error("the file is not there")
    db.execute("SELECT name FROM books")
    raise ValueError(
        f"There are {count:,} books of "
        f"{name!r}{', and more' if count else ''}."
    )
'''
REST = "of {name}{', and more' if count else ''}."


def difference(before, after):
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "messages.txt", "the code", n=1, lineterm="")
    return "\n".join(lines)


def test_the_golden_file_has_every_message_and_help_text():
    changed = difference(messages.GOLDEN.read_text(encoding="utf-8"), messages.everything())
    if changed:
        pytest.fail(f"{changed}\n\nRead the difference; `.venv/bin/{messages.COMMAND}` writes it.", pytrace=False)


def test_messages_are_found_wherever_they_stand_and_joined():
    assert messages.messages(SOURCE) == [
        "The server is gone.",
        "the file is not there",
        "There are {count} books of {name}{', and more' if count else ''}.",
    ]


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ('"The server is gone."', '"The server is gone.", 2: "The disk is full."', ["+The disk is full."]),
        ("books of", "volumes of", [f"-There are {{count}} books {REST}", f"+There are {{count}} volumes {REST}"]),
        ('        log.error("the file is not there")', "        pass", ["-the file is not there"]),
    ],
    ids=["new", "changed", "removed"],
)
def test_a_message_that_is_new_changed_or_removed_makes_a_difference(before, after, shown):
    golden = "\n".join(messages.messages(SOURCE))
    assert before in SOURCE
    assert difference(golden, golden) == ""
    changed = difference(golden, "\n".join(messages.messages(SOURCE.replace(before, after))))
    found = [line for line in changed.splitlines()[3:] if line[0] in "+-"]
    assert found == shown


@pytest.mark.parametrize("source", ['x = "one"', 'x = f"{a}-{b}"', 'x = re.compile("one or two")'])
def test_a_single_word_and_an_expression_are_no_messages(source):
    assert messages.messages(source) == []


def test_the_text_of_an_option_is_found_in_its_help_alone():
    assert messages.messages('click.option("--far", help="Go far away.")') == []


def test_the_help_of_each_subcommand_is_found():
    @click.group()
    def top():
        """Do things."""

    @top.command()
    @click.option("--far", help="Go far.")
    def go():
        """Go there."""

    found = dict(messages.helps(top, "python -m top"))
    assert list(found) == ["python -m top", "python -m top go"]
    assert "Go there." in found["python -m top"]
    assert "--far TEXT  Go far." in found["python -m top go"]
