"""mypy checks the bodies of what ships and of how it ships: an error planted there is named."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PLANTED = "def planted(number):\n    return number + len(5)\n\n\n"
AFTER = "from __future__ import annotations\n"
MODULES = [
    "src/colophon/catalogue/authorities.py",
    "delivery/settings.py",
    "bench/load.py",
    "tests/delivery/aws/fake_cli.py",
]


def test_an_error_that_is_planted_in_any_room_is_named(tmp_path):
    shadows = []
    for number, module in enumerate(MODULES):
        before, found, rest = (ROOT / module).read_text().partition(AFTER)
        (tmp_path / f"{number}.py").write_text(f"{before}{found}{PLANTED}{rest}")
        shadows += ["--shadow-file", module, tmp_path / f"{number}.py"]
    known = ROOT / ".mypy_cache"
    if known.exists():  # as `make check` leaves it
        shutil.copytree(known, tmp_path / "cache")
    result = subprocess.run(
        [sys.executable, "-m", "mypy", *shadows, f"--cache-dir={tmp_path / 'cache'}", *MODULES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stdout + result.stderr
    for module in MODULES:
        assert f"{module}:" in result.stdout
    assert result.stdout.count("error: Function is missing a type annotation") == len(MODULES)
    assert result.stdout.count('error: Argument 1 to "len" has incompatible type') == len(MODULES)
