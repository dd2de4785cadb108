"""A file of 100,000 rows: each of its errors is found, in memory that does not grow with it."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from itertools import islice

import pytest

from bench.made_up_books import made_up_books
from colophon.bulk import csv_format
from colophon.catalogue.reading import Catalogue
from tests.conftest import any_database

ROWS = 100_000
COLUMNS = [
    "title",
    "subtitle",
    "original_title",
    "authors",
    "author_sort_names",
    "author_original_names",
    "year",
    "circa",
    "language",
    "subjects",
    "publisher",
    "pages",
    "isbn13",
    "description",
]
GOOD = ["Emma", "", "", "Jane Austen", "", "", "1815", "", "en", "", "", "", "", "A comedy."]
# What is changed in a good row, and which column is then wrong; None is the whole row.
PLANTS = [
    ({"year": "0"}, "year"),
    ({"year": "soon"}, "year"),
    ({"year": "-750 BCE"}, "year"),
    ({"year": "12000"}, "year"),
    ({"year": ""}, "year"),
    ({"title": ""}, "title"),
    ({"title": "x" * 501}, "title"),
    ({"title": "a\x07b"}, "title"),
    ({"authors": ""}, "authors"),
    ({"authors": "A;;B"}, "authors"),
    ({"authors": "; ".join(f"A{number}" for number in range(51))}, "authors"),
    ({"author_sort_names": "a;b"}, "author_sort_names"),
    ({"author_original_names": "x" * 501}, "author_original_names"),
    ({"circa": "perhaps"}, "circa"),
    ({"language": ""}, "language"),
    ({"language": "Elvish"}, "language"),
    ({"subjects": ";".join(f"s{number}" for number in range(21))}, "subjects"),
    ({"subjects": "x" * 101}, "subjects"),
    ({"pages": "0"}, "pages"),
    ({"pages": "many"}, "pages"),
    ({"pages": "100001"}, "pages"),
    ({"isbn13": "9780141439588"}, "isbn13"),
    ({"isbn13": "9.78E+12"}, "isbn13"),
    ({"isbn13": "12345"}, "isbn13"),
    ({"isbn13": "9780000000002"}, "isbn13"),  # that of the file's first book
    ({"description": ""}, "description"),
    ({"description": "x" * 5001}, "description"),
    ({"publisher": "x" * 501}, "publisher"),
    ({"subtitle": "a\x00b"}, "subtitle"),
    ({"original_title": "a\x1bb"}, "original_title"),
    ({"publisher": "B\udce9ta"}, "publisher"),  # a byte that is not UTF-8
    ({"title": "B\udcff"}, "title"),
    ({"raw": 'Emma,"A" B,1815'}, None),
    ({"raw": ",".join(GOOD) + ",one more"}, None),
    ({"raw": ",".join(GOOD) + ",one,more"}, None),
    ({"circa": "2"}, "circa"),
    ({"year": "18 15"}, "year"),
]

pytestmark = [any_database, pytest.mark.slow]


def isbn(number):
    digits = f"978{number:09}"
    return digits + str(-sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(digits)) % 10)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """The file, and its errors: the column of each by its row."""
    patterns = [asdict(book) for book in made_up_books(500)]
    patterns[7]["description"] += "\nIts second line."
    lines = csv_format.written_lines(patterns[number % 500] | {"isbn13": isbn(number)} for number in range(ROWS))
    path = tmp_path_factory.mktemp("large") / "books.csv"
    planted = {}
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        row = 1
        for number, line in enumerate(lines):
            place, planting = divmod(number - 1000, 2600)
            if planting == 0 and 0 <= place < len(PLANTS):
                change, planted[row] = PLANTS[place]
                cells = dict(zip(COLUMNS, GOOD, strict=True)) | change
                line = cells.get("raw") or ",".join(cells[name] for name in COLUMNS)
                line += "\r\n"
            file.write(line)
            row += line.count("\n")
    assert len(planted) == 37
    return path, planted


def run_measured(engine, *arguments):
    """Run the command line as a process of its own; return its exit code, standard error and peak memory in MB."""
    with subprocess.Popen(
        [sys.executable, "-m", "colophon", "books", "import", *arguments],
        env=os.environ | {"DATABASE_URL": engine.url.render_as_string(hide_password=False), "LOG_LEVEL": "warning"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, said.splitlines(), usage.ru_maxrss / (1 if sys.platform == "linux" else 1024) / 1024


def test_each_of_37_errors_in_100_000_rows_is_reported_in_bounded_memory(large, engine, tmp_path):
    path, planted = large
    few = tmp_path / "few.csv"
    with path.open("rb") as file:
        few.write_bytes(b"".join(islice(file, 1000)))
    code, said, little = run_measured(engine, "--dry-run", str(few))
    assert (code, said) == (0, [])

    report = tmp_path / "report.jsonl"
    code, said, peak = run_measured(engine, str(path), "--report", str(report))
    assert code == 1
    problems = [json.loads(line) for line in report.read_text().splitlines()]
    assert {problem["row"]: problem["column"] for problem in problems} == planted
    assert all(problem["reason"].endswith(".") for problem in problems)
    assert len(said) == 22
    assert said[-1] == "37 problems in 100,000 rows: added nothing."
    with engine.connect() as db:
        assert Catalogue(db).totals().books == 0
    assert peak < little + 25
