"""Cells and headers of CSV files: read forgivingly, written so that they come back the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colophon.bulk import cells
from colophon.bulk.columns import COLUMNS, delimiter_of, field_of

nasty = st.text(st.sampled_from("'=+-@\uff1d\t;|\\\", aé中\n"))


@pytest.mark.parametrize(
    ("cell", "year", "circa"),
    [
        ("1847", 1847, False),
        ("-750", -750, False),
        ("−750", -750, False),
        ("750 BCE", -750, False),
        ("750 B.C.", -750, False),
        ("750bc", -750, False),
        ("c. 750 BCE", -750, True),
        ("c750 BCE", -750, True),
        ("ca. 1500", 1500, True),
        ("circa 1500", 1500, True),
        ("~1500 CE", 1500, True),
        ("AD 79", 79, False),
        ("1847.0", 1847, False),
        ("0", 0, False),
    ],
)
def test_years_are_understood_as_people_write_them(cell, year, circa):
    assert cells.read_year(cell) == (year, circa)


@pytest.mark.parametrize("cell", ["", "nineteen", "-750 BCE", "1847-1848", "1e3", "18 47", "1234567", "c.", "BCE"])
def test_what_is_no_year_is_not_guessed(cell):
    with pytest.raises(ValueError, match="Is not a year"):
        cells.read_year(cell)


@pytest.mark.parametrize(
    ("cell", "truth"), [("true", True), ("Yes", True), ("1", True), ("FALSE", False), ("no", False), ("0", False)]
)
def test_truths_are_understood(cell, truth):
    assert cells.read_truth(cell) is truth


@pytest.mark.parametrize(("cell", "code"), [("en", "en"), ("EN", "en"), ("English", "en"), ("old english", "ang")])
def test_a_language_is_known_by_its_code_and_by_its_name(cell, code):
    assert cells.read_language(cell) == code


def test_an_isbn_that_a_spreadsheet_rounded_is_said_to_be():
    with pytest.raises(ValueError, match="spreadsheet has rounded"):
        cells.read_isbn("9.78E+12")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\uff1d1+1", "'=1", "''=1"])
def test_no_cell_is_a_formula(text):
    assert cells.write_text(text) == f"'{text}"
    assert cells.write_list(["a", text]).split("; ")[1].startswith("'")


@pytest.mark.parametrize("text", ["Emma", "'Tis Pity", "1984", "a=b", "‘=’"])
def test_other_texts_are_left_alone(text):
    assert cells.write_text(text) == text


@given(nasty)
def test_a_text_comes_back_the_same(text):
    assert cells.read_text(cells.write_text(text.strip())) == text.strip()


@given(st.lists(nasty.map(str.strip).filter(bool)))
def test_a_list_comes_back_the_same(items):
    assert cells.read_list(cells.write_list(items)) == items


@pytest.mark.parametrize(
    ("cell", "items"),
    [
        ("A;B", ["A", "B"]),
        ("A | B", ["A", "B"]),
        ("A; B; ", ["A", "B"]),
        ("; B", ["", "B"]),
        (r"A\;B; C\|D\\E", ["A;B", r"C|D\E"]),
        (r"C:\path", [r"C:\path"]),
        ("", []),
    ],
)
def test_lists_are_separated_by_semicolons_or_bars(cell, items):
    assert cells.read_list(cell) == items


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Author(s)", "authors"),
        ("AUTHORS", "authors"),
        ("author", "authors"),
        ("ISBN", "isbn13"),
        ("ISBN-13", "isbn13"),
        ("Year", "year"),
        ("First published", "year"),
        ("first_published", "year"),
        ("Lang", "language"),
        ("Language", "language"),
        ("Pages", "pages"),
        ("Page count", "pages"),
        ("Subjects", "subjects"),
        ("Tags", "subjects"),
        ("Publisher", "publisher"),
        ("Description", "description"),
        ("Title", "title"),
        ("Subtitle", "subtitle"),
        ("Original title", "original_title"),
        ("original-title", "original_title"),
        ("Colour", None),
        ("", None),
    ],
)
def test_headers_are_understood_as_people_write_them(header, field):
    assert field_of(header) == field


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_from_the_header(delimiter):
    assert delimiter_of(delimiter.join(COLUMNS) + "\r\n") == delimiter


def test_without_a_known_header_the_delimiter_is_the_comma():
    assert delimiter_of("a;b;c\n") == ","
    assert delimiter_of("a\rb;title\n") == ","
