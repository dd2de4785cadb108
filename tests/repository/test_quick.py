"""`make quick` and `make test`: which checks each runs, and which tests are left out of the quick one."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.repository.checkout import ROOT

PROGRAMS = ("python", "ruff", "mypy", "lint-imports")


@pytest.fixture
def menu(tmp_path):
    """Run a line of the menu with programs that only print how they are called; return what they printed."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    folder = tmp_path / ".venv/bin"
    folder.mkdir(parents=True)
    for name in PROGRAMS:
        (folder / name).write_text('#!/bin/sh\necho "${0##*/}" "$@"\n')
        (folder / name).chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "TESTS")}

    def run(*words):
        done = subprocess.run(
            ["make", *words, "SETUP=true"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    return run


def test_make_test_with_tests_runs_those_and_nothing_else(menu, tmp_path):
    (tmp_path / "build").mkdir()
    (tmp_path / "build/tested").write_text("a commit\n")
    (line,) = menu("test", "TESTS=tests/colophon/pages -x")
    assert line.startswith("python -m pytest ")
    assert line.endswith(" tests/colophon/pages -x")
    assert "--cov" not in line
    assert (tmp_path / "build/tested").read_text() == "a commit\n", "the evidence of a whole run was lost"


def test_make_test_checks_everything_and_leaves_evidence(menu, tmp_path):
    lines = menu("test")
    assert {line.split()[0] for line in lines} == {*PROGRAMS}
    assert "--cov " in lines[-1]
    assert "--quick" not in lines[-1]
    assert (tmp_path / "build/tested").exists()


def test_make_quick_lints_and_runs_the_quick_tests(menu, tmp_path):
    *lint, tests = menu("quick")
    assert lint == ["ruff check", "ruff format --check"]
    assert tests.endswith(" --quick")
    assert not (tmp_path / "build/tested").exists()


@pytest.mark.slow
def test_the_quick_tests_need_no_browser_no_postgresql_and_no_running_site():
    files = [
        f"tests/{name}.py"
        for name in ("colophon/catalogue/test_search", "browser/test_search", "colophon/web/test_stopping")
    ]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-n0", "-q", "--quick", "--collect-only", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    kept = re.findall(r"^tests/\S+::.*", run.stdout, re.MULTILINE)
    assert kept
    assert not [
        test for test in kept if "postgresql" in test or not test.startswith("tests/colophon/catalogue/test_search.py")
    ]
    (told,) = re.findall(r"^Quick: these tests were left out: (.+)\. `make test`", run.stdout, re.MULTILINE)
    kinds = {re.sub(r"^\d+ ", "", kind) for kind in told.split(", ")}
    assert kinds == {"on PostgreSQL", "in a browser", "that are slow"}
