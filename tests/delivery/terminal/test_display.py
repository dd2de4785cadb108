"""The display of a rollout, on a terminal and in a pipeline's log."""

import io
import sys

import pytest

from delivery.terminal import shell
from delivery.terminal.display import Display


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Have what is written from now on go to a terminal, and return that."""

    def terminal():
        monkeypatch.setattr(sys, "stdout", screen := Terminal())
        monkeypatch.setenv("COLUMNS", "40")
        return screen

    return terminal


def test_in_a_log_a_line_is_written_when_something_changed(capsys):
    display = Display()
    display.block(["IN_PROGRESS", "colophon:2 1 of 2"], "1 request")
    display.block(["IN_PROGRESS", "colophon:2 1 of 2"], "2 requests")
    display.block(["IN_PROGRESS", "colophon:2 2 of 2"], "3 requests")
    assert capsys.readouterr().out.splitlines() == [
        "IN_PROGRESS; colophon:2 1 of 2; 1 request",
        "IN_PROGRESS; colophon:2 2 of 2; 3 requests",
    ]


def test_in_a_log_there_is_no_colour(capsys):
    Display().check("cluster", "refused", "it is not there")
    assert capsys.readouterr().out == "refused  cluster: it is not there\n"


def test_on_a_terminal_it_is_drawn_in_place(terminal):
    screen, display = terminal(), Display()
    display.block(["one"], "1")
    display.block(["one", "two"], "2")
    assert screen.getvalue() == "one\n1\n\033[2F\033[Jone\ntwo\n2\n"


def test_what_is_said_meanwhile_stays_and_the_block_goes_on_below(terminal):
    screen, display = terminal(), Display()
    display.block(["one"], "1")
    shell.announce(("true",))
    display.block(["one"], "2")
    display.line("for good")
    display.block(["one"], "3")
    assert screen.getvalue().replace("\033[0m", "") == "one\n1\none\n2\nfor good\none\n3\n"


def test_on_a_terminal_lines_are_cut_to_its_width(terminal):
    screen = terminal()
    Display().block(["x" * 100], "y")
    assert screen.getvalue().splitlines()[0] == "x" * 39


def test_without_a_visitor_there_is_nothing_to_say_of_one(capsys):
    Display().block(["one", "two"], "")
    assert capsys.readouterr().out == "one; two\n"
