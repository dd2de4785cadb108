"""`books import`: what it understands."""

import pytest

from colophon.catalogue import built_in
from colophon.cli import main
from tests.colophon.bulk.bulkfiles import EMMA, ISBN, ROW, environment, lines, objects, written_form
from tests.conftest import any_database

pytestmark = any_database


def test_a_plain_file_is_added(load, books):
    result = load(lines(ROW))
    assert (result.exit_code, result.output) == (0, "Added 1 book.\n")
    assert books() == [written_form(EMMA)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_files_of_all_spreadsheets_are_understood(load, books, delimiter, end, mark):
    cells = [
        ["Title", "Author(s)", "First published", "Lang", "Tags", "ISBN", "Page count", "Description"],
        ["Emma", '"Austen, Jane; Anon."', "c. 1815", "English", '"Novels|Comedy"', "0-14-143958-0", "474", "Matches."],
        [""] * 8,
    ]
    result = load(mark + "".join(delimiter.join(row) + end for row in cells))
    assert result.exit_code == 0, result.stderr
    (book,) = books()
    assert [author["name"] for author in book["authors"]] == ["Jane Austen", "Anon."]
    assert book["authors"][0]["sort"] == "Austen, Jane"
    assert (book["year"], book["circa"], book["language"], book["pages"]) == (1815, True, "en", 474)
    assert book["subjects"] == ["Comedy", "Novels"]
    assert book["isbn13"] == ISBN


def test_parallel_lists_give_each_author_a_sort_name_and_an_original_name(load, books):
    header = "title,authors,author_sort_names,author_original_names,year,language,description"
    row = "X,Homer; Leo Tolstoy; Anon.,;Tolstoy,;Лев Толстой,1,en,d"
    assert load(f"{header}\n{row}\n").exit_code == 0
    assert books()[0]["authors"] == [
        {"name": "Homer", "sort": "Homer", "original_name": None},
        {"name": "Leo Tolstoy", "sort": "Tolstoy", "original_name": "Лев Толстой"},
        {"name": "Anon.", "sort": "Anon.", "original_name": None},
    ]


@pytest.mark.parametrize("name", ["Martin Luther King, Jr.", "A, B, C", "Austen,"])
def test_a_comma_that_does_not_part_family_from_given_name_stays(load, books, name):
    assert load(lines(f'Emma,"{name}",1815,en,d')).exit_code == 0
    assert books()[0]["authors"][0]["name"] == name


@pytest.mark.parametrize("columns", [("year", "circa"), ("circa", "year")])
def test_circa_is_its_own_column_too(load, books, columns):
    cells = {"year": "1815", "circa": "yes"}
    header = ",".join(["title", "authors", "language", "description", *columns])
    rows = [
        ",".join(["A", "B", "en", "d", *(cells[column] for column in columns)]),
        ",".join(["A", "B", "en", "d", *((cells | {"year": "c. 1", "circa": "no"})[column] for column in columns)]),
    ]
    assert load("\n".join([header, *rows])).exit_code == 0
    assert [book["circa"] for book in books()] == [True, True]


def test_json_lines_are_what_the_api_takes(load, books):
    result = load(objects({}, {"title": "Persuasion", "year": 1817}) + "\n \n", name="books.jsonl")
    assert (result.exit_code, result.output) == (0, "Added 2 books.\n")
    assert books() == [written_form(EMMA), written_form(EMMA | {"title": "Persuasion", "year": 1817})]


def test_the_books_of_the_site_can_be_imported(runner, engine, books):
    path = str(built_in._DATA / "books.jsonl")
    assert runner.invoke(main, ["books", "import", path], env=environment(engine)).exit_code == 0
    assert len(books()) == sum(1 for _ in built_in.built_in_books())


def test_standard_input_is_read(runner, engine, books):
    arguments = ["books", "import", "-", "--format", "csv"]
    assert runner.invoke(main, arguments, input=lines(ROW), env=environment(engine)).exit_code == 0
    assert len(books()) == 1
