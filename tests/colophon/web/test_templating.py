import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from colophon.catalogue.languages import language_name
from colophon.web import templating
from colophon.web.templating import day, duration, moment, plural, thousands, year

ROOT = Path(__file__).parents[3]
STATIC = ROOT / "src/colophon/static"


@pytest.mark.parametrize(
    ("number", "circa", "written"),
    [
        (1847, False, "1847"),
        (-750, True, "c. 750 BCE"),
        (-1, False, "1 BCE"),
        (8, False, "8 CE"),
        (999, True, "c. 999 CE"),
    ],
)
def test_years_are_written_for_people(number, circa, written):
    assert year(number, circa) == written


def test_numbers_are_written_for_people():
    assert (thousands(1234567), plural(1, "book", "books"), plural(1200, "book", "books")) == (
        "1,234,567",
        "1 book",
        "1,200 books",
    )


def test_times_are_written_for_people():
    assert day(date(2027, 5, 1)) == "1 May 2027"
    assert moment(datetime(2026, 11, 21, 9, 5, 59, tzinfo=UTC)) == "21 November 2026, 09:05 UTC"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0.0 seconds"),
        (2.46, "2.5 seconds"),
        (10, "10 seconds"),
        (59.6, "1 minute"),
        (61, "1 minute 1 second"),
        (7322, "122 minutes 2 seconds"),
    ],
)
def test_lengths_of_time_are_written_for_people(seconds, written):
    assert duration(seconds) == written


def test_languages_are_named_where_they_are_known():
    assert (language_name("grc"), language_name("qqq")) == ("Ancient Greek", "qqq")


def manifest():
    return json.loads((STATIC / "manifest.json").read_text())


def test_the_built_assets_are_those_of_their_sources():
    """When this fails, run `make assets` and commit what it built."""
    sources = {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in manifest()["sources"]}
    assert sources == manifest()["sources"]


def test_every_source_of_the_assets_is_accounted_for():
    files = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "assets").rglob("*")
        if path.is_file()
        and "node_modules" not in path.parts
        and path.suffix in (".scss", ".js", ".mjs", ".svg", ".png")
    }
    assert files <= set(manifest()["sources"])


def test_every_built_asset_is_there_and_no_other():
    wanted = {"manifest.json"} | set(manifest()["files"].values())
    there = {path.name for path in STATIC.iterdir()}
    assert {name for name in there if not name.endswith((".br", ".gz"))} == wanted
    for name in ("site.css", "site.js"):
        assert {f"{manifest()['files'][name]}.br", f"{manifest()['files'][name]}.gz"} <= there


def test_an_asset_s_name_carries_a_hash_of_its_bytes():
    for name, built in manifest()["files"].items():
        digest = hashlib.sha256((STATIC / built).read_bytes()).hexdigest()
        assert built.split(".")[-2] in digest, name


def test_an_asset_that_was_not_built_is_an_error():
    with pytest.raises(KeyError):
        templating.asset("nothing.css")


def test_lock_files_name_no_address():
    for lock in (
        "assets/package-lock.json",
        "src/requirements.txt",
        "tests/requirements.txt",
        "bench/requirements.txt",
    ):
        text = (ROOT / lock).read_text()
        assert '"resolved"' not in text
        assert "--index-url" not in text
