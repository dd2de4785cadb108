"""What the benchmark measures is made by the code that is checked out."""

import shutil
from pathlib import Path

import pytest

from bench.catalogues import made_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkout")
    for part in ("src", "bench"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "static"))
    return folder


@pytest.mark.parametrize(
    "changed",
    [
        *("catalogue/search.py", "catalogue/writing.py", "database/engine.py", "cli.py", "data/books.jsonl"),
        *("database/migrations/env.py", "database/migrations/versions/0001_the_catalogue.py", "../requirements.txt"),
        "../../bench/made_up_books.py",
    ],
)
def test_a_catalogue_is_made_again_after_a_change_of_what_makes_it(checkout, changed):
    before = made_of(checkout)
    with (checkout / "src/colophon" / changed).open("a") as file:
        file.write("\n# changed\n")
    assert made_of(checkout) != before


def test_a_catalogue_is_kept_after_a_change_of_anything_else(checkout):
    before = made_of(checkout)
    (checkout / "src/colophon/templates/layouts/base.html").write_text("changed")
    assert made_of(checkout) == before
