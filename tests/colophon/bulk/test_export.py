"""`books export`: the whole catalogue in a file from which it can be made again, the same."""

import csv
import io
import json
import os
import subprocess
import sys
import threading
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colophon import database
from colophon.bulk import file_export
from colophon.bulk.columns import COLUMNS
from colophon.bulk.file_import import Import
from colophon.bulk.problems import Findings
from colophon.catalogue import writing
from colophon.catalogue.book_schema import BookSchema, dump
from colophon.catalogue.built_in import built_in_books
from colophon.catalogue.list_query import ListQuery
from colophon.catalogue.reading import Catalogue
from colophon.catalogue.text import slugify
from colophon.cli import main
from tests.colophon.bulk.bulkfiles import environment
from tests.conftest import any_database
from tests.waiting import LONGEST

FORMATS = ["csv", "jsonl"]


def catalogue_of(engine):
    with engine.connect() as db:
        return [dump(book) for book in Catalogue(db).walk(ListQuery(), 0, 10_000)[0]]


def another(databases):
    return database.connect(databases.create(databases.empty))


@pytest.fixture
def built_in(engine):
    writing.add_books(engine, built_in_books())
    return engine


@pytest.mark.parametrize("file_format", FORMATS)
def test_export_then_import_gives_the_same_catalogue(runner, built_in, databases, file_format):
    file = f"books.{file_format}"
    result = runner.invoke(main, ["books", "export", file], env=environment(built_in))
    assert (result.exit_code, result.stdout) == (0, f"Wrote 515 books to {file}.\n")
    copy = another(databases)
    assert runner.invoke(main, ["books", "import", file], env=environment(copy)).exit_code == 0
    assert catalogue_of(copy) == catalogue_of(built_in)
    with built_in.connect() as one, copy.connect() as other:
        assert Catalogue(one).slugs(1, 1000) == Catalogue(other).slugs(1, 1000)
    copy.dispose()


texts = st.one_of(
    st.text(st.sampled_from("'=+-@\uff1d\t;|\\\", aé\u0301中ж\n#\u00a0\u2028\U0001f4d6"), max_size=12),
    st.text(st.characters(codec="utf-8"), max_size=30),
    st.sampled_from(
        ["=HYPERLINK(1)", "-750", "'=1", "c. 750 BCE", "true", "Austen, Jane", "\ufeffx", '"', '""', "NULL"]
    ),
).map(lambda text: unicodedata.normalize("NFC", text).strip())


def is_good(field):
    def good(text):
        return not BookSchema(only=[field]).validate({field: text})

    return good


titles = texts.filter(is_good("title"))
maybe = st.none() | titles
authors = st.fixed_dictionaries({"name": titles, "sort": titles, "original_name": maybe})
records = st.fixed_dictionaries(
    {
        "title": titles,
        "subtitle": maybe,
        "original_title": maybe,
        "authors": st.lists(authors, min_size=1, max_size=4, unique_by=lambda author: slugify(author["name"])),
        "year": st.integers(-9999, 9999).filter(bool),
        "circa": st.booleans(),
        "language": st.sampled_from(["en", "grc", "sux"]),
        "subjects": st.lists(titles, max_size=4, unique_by=slugify),
        "publisher": maybe,
        "pages": st.none() | st.integers(1, 100_000),
        "isbn13": st.none() | st.sampled_from(["9780141439587"]),
        "description": titles,
    }
)


@any_database
@pytest.mark.slow
@pytest.mark.parametrize("file_format", FORMATS)
@given(st.lists(records, min_size=1, max_size=4))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_the_nastiest_texts_come_back_the_same(databases, file_format, given_records):
    for record in given_records[1:]:
        record["isbn13"] = None
    one = another(databases)
    writing.add_books(one, [BookSchema().load(record) for record in given_records])
    file = io.BytesIO()
    assert file_export.export(one, file, file_format) == len(given_records)
    two = another(databases)
    findings = Findings()
    with Import(two, io.BytesIO(file.getvalue()), file_format, findings) as work:
        work.check()
        assert findings.first == []
        work.add(skip_errors=False)
    assert catalogue_of(two) == catalogue_of(one)
    for engine in (one, two):
        engine.dispose()
        databases.remove(engine.url.render_as_string(hide_password=False))


def test_no_cell_of_the_csv_is_a_formula(runner, engine):
    fields = {"name": "=cmd|'/c calc'!A1", "sort": "+x", "original_name": "@y"}
    book = {
        "title": "=1+1",
        "authors": [{"name": "A"}, fields],
        "year": -750,
        "language": "grc",
        "subjects": ["-a", "@b"],
        "publisher": "@x",
        "pages": 7,
        "description": "\uff1d1+1",
    }
    writing.add_books(engine, [BookSchema().load(book)])
    result = runner.invoke(main, ["books", "export", "--format", "csv"], env=environment(engine))
    assert result.exit_code == 0
    header, row = csv.reader(io.StringIO(result.stdout.removeprefix("\ufeff")))
    assert header == list(COLUMNS)
    cells = dict(zip(header, row, strict=True))
    assert (cells.pop("year"), cells.pop("pages")) == ("-750", "7")
    for cell in cells.values():
        assert all(item[:1] not in "=+-@\uff1d" or not item for item in cell.split("; ")), cell
    assert cells["authors"] == r"A; '=cmd\|'/c calc'!A1"


def test_standard_output_is_json_lines_by_default_and_nothing_else(runner, built_in):
    result = runner.invoke(main, ["books", "export"], env=environment(built_in))
    assert [json.loads(line) for line in result.stdout.splitlines()] == catalogue_of(built_in)
    assert result.stderr == ""


def test_an_empty_catalogue_is_a_header_that_can_be_imported(runner, engine):
    for name in ("export", "import"):
        result = runner.invoke(main, ["books", name, "books.csv"], env=environment(engine))
        assert result.exit_code == 0
    assert result.stdout == "Added 0 books.\n"


def test_an_interruption_leaves_the_old_file_and_no_half_one(runner, built_in, tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(file_export.os, "fsync", interrupted)
    (tmp_path / "books.csv").write_text("old")
    result = runner.invoke(main, ["books", "export", "books.csv"], env=environment(built_in))
    assert result.exit_code == 1
    assert (tmp_path / "books.csv").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_a_link_stays_one_and_a_pipe_is_written_to(runner, built_in, tmp_path):
    (tmp_path / "link.jsonl").symlink_to("books.jsonl")
    assert runner.invoke(main, ["books", "export", "link.jsonl"], env=environment(built_in)).exit_code == 0
    assert (tmp_path / "link.jsonl").is_symlink()
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    arguments = ["books", "export", "pipe", "--format", "jsonl"]
    assert runner.invoke(main, arguments, env=environment(built_in)).exit_code == 0
    reader.join(LONGEST)
    assert read == [(tmp_path / "books.jsonl").read_text()]
    assert (tmp_path / "pipe").is_fifo()


def test_a_reader_that_has_enough_is_left_in_peace(built_in, tmp_path):
    result = subprocess.run(
        ["/bin/bash", "-c", '"$0" -m colophon books export | head -n 1', sys.executable],
        cwd=tmp_path,
        env=os.environ | environment(built_in) | {"LOG_LEVEL": "warning"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(result.stdout) == catalogue_of(built_in)[0]
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["no/folder/books.csv"], 1, "cannot be used: No such file or directory."),
        (["."], 2, "is a directory"),
        (["books.xlsx"], 2, "Use --format csv or --format jsonl"),
    ],
)
def test_a_file_that_cannot_be_written_is_named(runner, engine, arguments, code, said):
    result = runner.invoke(main, ["books", "export", *arguments], env=environment(engine))
    assert result.exit_code == code
    assert said in result.stderr


def test_an_export_shows_one_moment_of_the_catalogue(built_in):
    lines = io.BytesIO()
    late = BookSchema().load(
        {"title": "Late", "authors": [{"name": "A"}], "year": 1, "language": "en", "description": "d"}
    )
    count = file_export.export(built_in, lines, "jsonl", lambda _: writing.add_books(built_in, [late]) and None)
    assert count == 515
    assert b'"Late"' not in lines.getvalue()
