"""docker-compose.yml, by the specification of its format; Docker itself reads it in `make try`."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import unavailable

ROOT = Path(__file__).parents[2]
CHECK = Path(sys.executable).with_name("check-jsonschema")


@pytest.fixture(scope="module")
def check():
    """Return the verdict of the specification's schema on a file, as JSON."""
    if not CHECK.exists():
        unavailable("check-jsonschema is not installed (make setup FOR=delivery)")

    def checked(path):
        words = [CHECK, "--builtin-schema", "vendor.compose-spec", "--output-format=json", path]
        return subprocess.run(words, capture_output=True, text=True).stdout

    return checked


def test_the_file_is_what_the_specification_allows(check):
    assert '"status": "ok"' in check(ROOT / "docker-compose.yml")


def test_an_option_that_compose_does_not_know_is_found(check, tmp_path):
    planted = tmp_path / "docker-compose.yml"
    text = (ROOT / "docker-compose.yml").read_text()
    assert "read_only:" in text
    planted.write_text(text.replace("read_only:", "readonly:", 1))
    assert "'readonly' was unexpected" in check(planted)
