"""docs/architecture.md has every file that another program reads, and names for each seam a judge that is there."""

import re
import subprocess
from fnmatch import fnmatchcase
from typing import NamedTuple

import pytest

from tests.conftest import unavailable
from tests.repository.checkout import ROOT

DOCUMENT = (ROOT / "docs/architecture.md").read_text()
NEVER = "**never run**"
# What our own programs, people and pip read; built assets are the pages'.
OURS = """
*.py *.md LICENSE tests/* *requirements.txt
src/colophon/data/* src/colophon/static/* src/colophon/database/migrations/*
"""


class Seam(NamedTuple):
    name: str
    files: str
    judge: str
    where: str
    unseen: str


def named(cell):
    return re.findall(r"`([^`]+)`", cell)


def seams(text):
    table = text.split("| seam | ")[1].split("\n\n")[0].splitlines()[2:]
    return [Seam(*(cell.strip() for cell in row.strip("|").split("|"))) for row in table]


def unnamed(files, rows):
    """Return the files that no row has, of those that other programs read."""
    patterns = [pattern for row in rows for pattern in named(row.files)]
    foreign = [file for file in files if not any(fnmatchcase(file, ours) for ours in OURS.split())]
    return [file for file in foreign if not any(fnmatchcase(file, pattern) for pattern in patterns)]


@pytest.fixture(scope="module")
def files():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        unavailable("this is no checkout, so nothing tells which files are its own")
    return listed.stdout.splitlines()


def test_every_file_that_another_program_reads_is_in_the_table(files):
    assert unnamed(files, seams(DOCUMENT)) == []


@pytest.mark.parametrize("file", ["ecs/buildspec.json", ".github-ci.yml", "delivery/edge.conf"])
def test_a_file_that_is_not_in_the_table_is_found(file):
    assert unnamed([file], seams(DOCUMENT)) == [file]


@pytest.mark.parametrize("seam", seams(DOCUMENT), ids=lambda seam: seam.name)
def test_a_seam_names_tests_and_files_that_are_there(seam):
    tests = [name for name in named(seam.where) if not name.startswith("make ")]
    assert tests or NEVER in seam.judge
    assert [name for name in tests if not (name.startswith("tests/") and (ROOT / name).exists())] == []
    assert [pattern for pattern in named(seam.files) if not [*ROOT.glob(pattern)]] == []


@pytest.mark.parametrize("seam", seams(DOCUMENT), ids=lambda seam: seam.name)
def test_a_line_of_the_menu_that_judges_is_one(seam):
    menu = (ROOT / "Makefile").read_text()
    lines = [name.removeprefix("make ") for name in named(seam.where) if name.startswith("make ")]
    assert [line for line in lines if f"\n{line}: " not in menu] == []


def test_the_readme_leads_to_it():
    assert "(docs/architecture.md)" in (ROOT / "README.md").read_text()
