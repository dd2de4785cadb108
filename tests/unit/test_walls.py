"""Who may know whom. The contracts stand in pyproject.toml; here they are kept, and shown to hold something back."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache", "--config", folder / "pyproject.toml"],
        cwd=folder,
        env={"PYTHONPATH": f"{folder / 'src'}:{folder}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_walls_hold():
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("src/colophon/pages/covers.py", "from ..models import Book"),
        ("src/colophon/models.py", "from . import books"),
        ("src/colophon/books.py", "import flask"),
        ("src/colophon/text.py", "from . import settings"),
        ("src/colophon/feeds.py", "from . import cli"),
        ("src/colophon/cli.py", "from delivery import shell"),
        ("delivery/passport.py", "from colophon import passport"),
    ],
)
def test_a_hole_in_a_wall_is_found(tmp_path, module, line):
    for folder in ("src", "delivery"):
        ignored = shutil.ignore_patterns("__pycache__", "static", "data")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path = tmp_path / module
    path.write_text(f"{path.read_text()}\n{line}\n")
    result = lint_imports(tmp_path)
    assert result.returncode != 0
    assert "BROKEN" in result.stdout
