"""`books import`: what it refuses, and where and why it says so."""

import json

import pytest

from colophon.bulk.lines import LONGEST_LINE
from colophon.catalogue import writing
from colophon.catalogue.book_schema import BookSchema
from tests.colophon.bulk.bulkfiles import EMMA, HEADER, ISBN, ROW, lines, objects, refused
from tests.conftest import any_database

pytestmark = any_database


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("Emma,Jane Austen,0,en,d", "row 2, column year: There is no year 0"),
        ("Emma,Jane Austen,soon,en,d", "row 2, column year: Is not a year"),
        ("Emma,Jane Austen,10000,en,d", "row 2, column year: Must be from -9999 to 9999."),
        (",Jane Austen,1815,en,d", "row 2, column title: Missing data"),
        ("Emma,,1815,en,d", "row 2, column authors: Missing data"),
        ("Emma,A;;B,1815,en,d", "row 2, column authors: Item 2: must have 1 to 500 characters."),
        ("Emma,Jane Austen,1815,Elvish,d", "row 2, column language: Is neither an ISO 639 code nor"),
        ("Emma,Jane Austen,1815,en," + "d" * 5001, "row 2, column description: Must have 1 to 5000 characters."),
        ("Emma,Jane Austen,1815,en,a\x01b", "row 2, column description: Must be plain text"),
        ("Emma,Jane Austen,1815,en,d,e,f", "row 2: Has 7 cells, but the header has 5."),
        ("Emma,Jane Austen", "row 2, column "),
        ('"Emma" again,Jane Austen,1815,en,d', "row 2: Text follows the quotation mark"),
    ],
)
def test_each_wrong_row_is_named_with_its_reason(load, books, row, sentence):
    result = load(lines(row, ROW))
    assert result.exit_code == 1
    assert result.stderr.startswith(sentence), result.stderr
    assert books() == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"year": "1815"}, "row 1, column year: Not a valid integer."),
        ({"authors": [{"name": "A"}, {"nam": "B"}]}, "row 1, column authors.1."),
        ({"authors": ["A"]}, "row 1, column authors.0: Invalid input type."),
        ({"authors": []}, "row 1, column authors: Must have 1 to 50 items."),
        ({"colour": "red"}, "row 1, column colour: Is not a field that can be written."),
        ({"\x1b[31m": "red"}, "row 1, column \\x1b[31m: Is not a field"),
        ({"isbn13": "9780141439588"}, "row 1, column isbn13: Is not an ISBN"),
        ({"circa": []}, "row 1, column circa: Not a valid boolean."),
    ],
)
def test_each_wrong_field_of_an_object_is_named(load, books, change, sentence):
    result = load(objects(change), name="books.jsonl")
    assert result.exit_code == 1
    assert result.stderr.startswith(sentence), result.stderr
    assert books() == []


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (objects({})[:40], "row 2: Ends in the middle of its JSON object."),
        ('{"title": "Em', "row 2: Ends in the middle of its JSON object."),
        ('{"title" "Emma"}', "row 2: Is not a JSON object: Expecting ':' delimiter at character 10."),
        ("[1, 2]", "row 2: Is not a JSON object; each line must have one. To convert"),
        ("7", "row 2: Is not a JSON object; each line must have one."),
        ('{"year": NaN}', "row 2: Is not valid JSON: NaN is not a number."),
        ('{"year": ' + "1" * 5000 + "}", "row 2: Is not valid JSON: "),
        ("[" * 100_000, "row 2: Is not valid JSON: "),
        (b'{"title": "\xe9"}', "row 2: The byte 0xE9, at position"),
    ],
)
def test_a_line_that_is_no_json_object_is_said_to_be_none(load, line, sentence):
    line = line if isinstance(line, bytes) else line.encode()
    refused(load(objects({}).encode() + line + b"\n" + objects({}).encode(), name="books.json"), sentence)


def test_the_columns_are_named_as_the_file_names_them(load):
    header = "Title,Author(s),Sort names,First published,Lang,ISBN,Approximate,Page count,Tags,Description"
    rows = ["Emma,A;B,a;b;c,0,??,12345,maybe,many," + "x" * 101 + ",d"]
    result = load("\n".join([header, *rows]))
    assert result.exit_code == 1
    columns = [line.partition(": ")[0].removeprefix("row 2, column ") for line in result.stderr.splitlines()[:-1]]
    assert sorted(columns) == sorted(
        ["Sort names", "First published", "Lang", "ISBN", "Approximate", "Page count", "Tags"]
    )


def test_a_row_has_the_number_of_its_first_line_in_an_editor(load):
    refused(
        load(
            lines(
                'Emma,Jane Austen,1815,en,"Three\nlines\r\nlong"',
                "",
                "Emma,A,0,en,d",
                'E,A,0,en,"two\nlines"',
                "E,A,0,en,d",
            )
        ),
        "row 6, column year: There",
        "row 7, column year: There",
        "row 9, column year: There",
    )


def test_quoted_line_breaks_become_line_feeds(load, books):
    assert load(lines('Emma,Jane Austen,1815,en,"Two\r\nlines"')).exit_code == 0
    assert books()[0]["description"] == "Two\nlines"


@pytest.mark.parametrize(
    ("content", "sentences"),
    [
        ("", ["The file is empty."]),
        ("\n  \n", ["The file is empty."]),
        ("title,authors,year,language\n", ["row 1, column description: Is missing"]),
        (f"{HEADER},Title\n", ["row 1, column Title: Is the column title, as ‘title’ is."]),
        (f"{HEADER},Colour\n", ["row 1, column Colour: There is no such column. The columns are: title,"]),
        (f"{HEADER},\n", ["row 1: The header of column 6 is empty."]),
        (
            "a;b\n",
            [
                "row 1, column a;b: There is no such column.",
                *[f"row 1, column {name}: Is missing" for name in HEADER.split(",")],
            ],
        ),
        (lines(ROW).encode("utf-16"), ["The file is UTF-16, not UTF-8."]),
        (lines(ROW).encode("utf-16-le"), ["row 1: Has NUL bytes, so the file is not UTF-8"]),
        (b"PK\x03\x04 an archive", ["The file is a ZIP archive"]),
        (b"\x1f\x8b", ["The file is compressed with gzip."]),
        (b"Titr\xe9\n", ["row 1: The byte 0xE9, at position 5 of the file, is not UTF-8. Save it"]),
        (b'title,auth"ors\rx\n', ["row 1: Has a carriage return within a line."]),
        ("x" * (LONGEST_LINE + 1), ["row 1: Is longer than 1,048,576 bytes"]),
        (
            lines('Emma,"Jane Austen,1815,en,d', ROW),
            ["row 2: A quotation mark that opens a cell here is not closed before the end of the file."],
        ),
        (
            lines('Emma,"Jane Austen,1815,en,d', *[ROW] * 5000),
            ["row 2: A quotation mark that opens a cell here is not closed: the cell goes on"],
        ),
        (
            lines('Emma,"Jane Austen,1815,en,d', ROW, 'Emma,"J. Austen",1815,en,d', ROW),
            ["row 2: Text follows the quotation mark that closes a cell"],
        ),
    ],
)
@pytest.mark.parametrize("options", [(), ("--skip-errors",)])
def test_a_file_that_cannot_be_read_to_its_end_adds_nothing(load, books, content, sentences, options):
    refused(load(content, *options), *sentences)
    assert books() == []


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_a_file_of_json_lines_can_be_empty_too(load, content):
    refused(load(content, name="books.jsonl"), "The file is empty.")


def test_a_wrong_byte_is_named_with_its_row_and_column(load, tmp_path):
    content = lines(ROW, "Emma,Bront\0,1847,en,d", ROW).encode().replace(b"\0", b"\xeb")
    position = content.index(b"\xeb") + 1
    refused(load(content), f"row 3, column authors: The byte 0xEB, at position {position} of the file, is not UTF-8.")


def test_an_isbn_that_comes_twice_is_named_with_the_other_row(load, engine):
    taken = BookSchema().load(EMMA | {"title": "Taken", "isbn13": "9780140449136"})
    writing.add_books(engine, [taken])
    header = "title,authors,year,language,description,ISBN"
    rows = [
        f"{ROW},{ISBN[:12]}1",
        f"{ROW},0-14-143958-0",
        f"{ROW},978-0-14-143958-7",
        f"{ROW},9780140449136",
        "Emma,Jane Austen,0,en,d,0141439580",
    ]
    refused(
        load("\n".join([header, *rows])),
        "row 2, column ISBN: Is not an ISBN",
        "row 4, column ISBN: The book in row 3 has the same ISBN.",
        "row 5, column ISBN: The book ‘taken’ of the catalogue has the same ISBN.",
        "row 6, column year: There is no year 0",
        "row 6, column ISBN: The book in row 3 has the same ISBN.",
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("books.jsonl", objects({f"unknown-{number}": 1 for number in range(1_000)})),
        ("books.csv", ",".join([HEADER, *(f"unknown {number}" for number in range(1_000))])),
    ],
)
def test_of_a_row_with_many_problems_the_first_are_reported_and_the_others_counted(load, tmp_path, name, content):
    report = tmp_path / "report.jsonl"
    load(content.encode(), "--report", str(report), name=name)
    *found, last = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    assert len(found) == 100
    assert last == {"row": 1, "column": None, "value": None, "reason": "Has 900 more problems."}
