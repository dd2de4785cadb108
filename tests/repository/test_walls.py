"""Who may know whom. The contracts stand in pyproject.toml, and `make check` keeps them; here each is shown to hold."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOLES = [
    (
        "src/colophon/api/paging.py",
        "from ..database import models",
        "colophon.api.paging -> colophon.database.models",
    ),
    ("src/colophon/catalogue/reading.py", "import flask", "colophon.catalogue.reading -> flask"),
    ("src/colophon/catalogue/text.py", "from .. import settings", "colophon.catalogue.text -> colophon.settings"),
    ("src/colophon/web/well_known.py", "from .. import cli", "colophon.web.well_known -> colophon.cli"),
    ("src/colophon/cli.py", "from delivery.terminal import shell", "colophon.cli -> delivery.terminal.shell"),
    ("delivery/release/passport.py", "from colophon import settings", "delivery.release.passport -> colophon.settings"),
]


def test_each_hole_in_a_wall_is_found(tmp_path):
    for folder in ("src", "delivery"):
        ignored = shutil.ignore_patterns("__pycache__", "static", "data")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module, line, _ in HOLES:
        path = tmp_path / module
        path.write_text(f"{path.read_text()}\n{line}\n")
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", tmp_path / "pyproject.toml"],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path / 'src'}:{tmp_path}", "PATH": "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "0 kept, 5 broken" in result.stdout
    for _, _, said in HOLES:
        assert said in result.stdout
