"""The emulator stands by itself, and the rehearsal uses nothing of it but its interface."""

import ast
from pathlib import Path

import pytest

EMULATOR = Path(__file__).parents[2]


def imported(text):
    """Return the dotted names that a module imports."""
    nodes = list(ast.walk(ast.parse(text)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    for node in (node for node in nodes if isinstance(node, ast.ImportFrom)):
        package = "." * node.level + (f"{node.module}." if node.module else "")
        names += [package + alias.name for alias in node.names]
    return names


def foreign(text):
    """Return a module's imports of this repository's other packages."""
    packages = ("..", "colophon", "delivery", "tests.")
    return [name for name in imported(text) if name.startswith(packages) and not name.startswith("tests.emulator")]


def internal(text):
    """Return a module's imports of the emulator's insides."""
    names = [name.removeprefix("tests.emulator.") for name in imported(text) if name.startswith("tests.emulator")]
    return [name for name in names if "." in name or (EMULATOR / f"{name}.py").exists()]


def test_the_emulator_imports_no_other_package_of_this_repository():
    assert [name for path in EMULATOR.glob("*.py") for name in foreign(path.read_text())] == []


def test_the_rehearsal_imports_nothing_but_the_interface():
    paths = list((EMULATOR.parent / "rehearsal").glob("*.py"))
    assert [name for path in paths for name in internal(path.read_text())] == []


@pytest.mark.parametrize(
    "planted",
    [
        "import delivery.aws",
        "from colophon import books",
        "from tests.rehearsal import report",
        "from .. import rehearsal",
    ],
)
def test_a_planted_import_is_found(planted):
    assert foreign(planted)
    assert internal("from tests.emulator import scheduler")
    assert internal("from tests.emulator.scheduler import deploy")
    assert not internal("from tests.emulator import Emulator")
