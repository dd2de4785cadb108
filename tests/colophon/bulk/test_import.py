"""`books import`: how it ends, and what it says then."""

import io
import json
import sys

import pytest

from colophon.bulk import commands, file_import
from colophon.catalogue import writing
from colophon.catalogue.book_schema import BookSchema
from colophon.catalogue.reading import Catalogue
from colophon.cli import main
from tests.colophon.bulk.bulkfiles import EMMA, HEADER, ISBN, ROW, lines, refused


def test_with_skip_errors_the_good_rows_are_added(load, books):
    result = load(lines(ROW, "Emma,Jane Austen,0,en,d", ROW), "--skip-errors")
    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1] == "Added 2 books; 1 problem in 3 rows, of which 1 left out."
    assert len(books()) == 2


def test_with_skip_errors_and_no_good_row_nothing_is_added(load, books):
    refused(load(lines("Emma,Jane Austen,0,en,d"), "--skip-errors"), "row 2")


@pytest.mark.parametrize(
    ("rows", "options", "code", "said"),
    [
        ([ROW], (), 0, "Would have added 1 book."),
        ([ROW, "E"], (), 1, "would have added nothing."),
        ([ROW, "E"], ("--skip-errors",), 3, "Would have added 1 book; "),
    ],
)
def test_a_dry_run_adds_nothing_and_ends_as_it_would_have(load, books, rows, options, code, said):
    result = load(lines(*rows), "--dry-run", *options)
    assert result.exit_code == code
    assert said in result.output.splitlines()[-1]
    assert books() == []


def test_the_first_twenty_problems_are_shown_and_all_are_reported(load, tmp_path):
    bad = "Emma,Jane Austen,0,en,d"
    result = load(lines(*[bad] * 37), "--report", str(tmp_path / "report.jsonl"))
    said = result.stderr.splitlines()
    assert len(said) == 22
    assert said[20:] == ["… and 17 more: the report has all of them.", "37 problems in 37 rows: added nothing."]
    report = [json.loads(line) for line in (tmp_path / "report.jsonl").read_text().splitlines()]
    assert [problem["row"] for problem in report] == list(range(2, 39))
    reason = "There is no year 0: 1 BCE, written -1, comes before 1 CE."
    assert report[0] == {"row": 2, "column": "year", "value": "0", "reason": reason}
    assert "--report FILE writes all of them" in load(lines(*[bad] * 37)).stderr


def test_a_value_in_the_report_is_an_excerpt(load, tmp_path):
    load(lines("Emma,Jane Austen,1815,en," + "d" * 6000), "--report", str(tmp_path / "report.jsonl"))
    (problem,) = map(json.loads, (tmp_path / "report.jsonl").read_text().splitlines())
    assert problem["value"] == "d" * 79 + "…"


def test_an_interruption_adds_nothing(load, books, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    for place in ("slugs_by_isbn", "add"):
        with monkeypatch.context() as patch:
            if place == "add":
                patch.setattr(writing, "_new_state", interrupted)
            else:
                patch.setattr(Catalogue, place, interrupted)
            assert load(lines(*[ROW] * 600)).exit_code == 1
        assert books() == []


@pytest.mark.parametrize(("options", "code", "added"), [((), 1, 1), (("--skip-errors",), 3, 2)])
def test_an_isbn_that_is_taken_between_check_and_addition_is_told(
    load, engine, books, monkeypatch, options, code, added
):
    check = file_import.Import.check

    def overtaken(self, progress):
        check(self, progress)
        writing.add_books(engine, [BookSchema().load(EMMA | {"title": "First", "isbn13": ISBN})])

    monkeypatch.setattr(file_import.Import, "check", overtaken)
    result = load(f"{HEADER},ISBN\n{ROW},\n{ROW},{ISBN}\n", *options)
    assert result.exit_code == code
    assert result.stderr.startswith("row 3, column ISBN: The book ‘first’ of the catalogue has the same ISBN.")
    assert len(books()) == added


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.csv"], "does not exist"),
        (["."], "is a directory"),
        (["books.txt"], "Use --format csv or --format jsonl"),
        (["-"], "Use --format csv or --format jsonl"),
        (["books.csv", "--report", "books.csv"], "--report would overwrite FILE"),
        (["books.csv", "--format", "xlsx"], "is not one of"),
    ],
)
def test_wrong_use_is_said_to_be(runner, tmp_path, arguments, said):
    for name in ("books.txt", "books.csv"):
        (tmp_path / name).write_text("kept")
    result = runner.invoke(main, ["books", "import", *arguments])
    assert result.exit_code == 2
    assert said in result.stderr
    assert (tmp_path / "books.csv").read_text() == "kept"


def test_a_file_that_fails_while_it_is_read_is_named(load, monkeypatch):
    class Broken(io.BytesIO):
        def readline(self, *_):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(commands.click, "open_file", lambda *_: Broken())
    result = load(lines(ROW))
    assert result.exit_code == 1
    assert result.stderr.endswith("books.csv cannot be used: Input/output error.\n")


def test_a_full_disk_is_said_to_be(load, monkeypatch):
    def full(*_):
        raise commands.sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(file_import.StagedBooks, "add", full)
    result = load(lines(ROW))
    assert result.exit_code == 1
    assert result.stderr == "Error: The books cannot be stored in the temporary folder: database or disk is full.\n"


def test_a_report_that_cannot_be_written_is_named(load, tmp_path):
    result = load(lines(ROW), "--report", str(tmp_path / "no/such/folder"))
    assert result.exit_code == 1
    assert "no/such/folder cannot be used: No such file or directory." in result.stderr


def test_the_exit_codes_stand_in_the_help(runner):
    text = runner.invoke(main, ["books", "import", "--help"]).output
    assert all(f"\n    {code}  " in text for code in range(4))


def test_there_is_a_progress_bar_on_a_terminal_only(monkeypatch):
    shown = {}
    for terminal in (True, False):
        stream = io.StringIO()
        stream.isatty = lambda terminal=terminal: terminal
        monkeypatch.setattr(sys, "stderr", stream)
        with commands._bar(10, "Checking") as bar:
            bar.update(10)
        shown[terminal] = stream.getvalue()
    assert "Checking" in shown[True]
    assert "100%" in shown[True]
    assert shown[False] == ""
