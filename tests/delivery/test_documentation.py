"""delivery/README.md says of the delivery what it does."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

import delivery
from delivery.aws.ecs import checks
from delivery.cli import main
from delivery.deployment import release_checks
from delivery.deployment.outcomes import Outcome
from delivery.settings import Settings

FOLDER = Path(delivery.__file__).parent
README = (FOLDER / "README.md").read_text()
KINDS = {kind for path in FOLDER.rglob("*.py") for kind in re.findall(r'Cause\(\s*"([a-z-]+)"', path.read_text())}

CHECKS = [*release_checks.CHECKS, "scan", *checks.NAMES]


@pytest.mark.parametrize("outcome", Outcome, ids=lambda outcome: outcome.title)
def test_each_exit_code_stands_in_the_readme(outcome):
    assert f"| {outcome.code} | {outcome.title} |" in README


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_of_cause_stands_in_the_readme(kind):
    assert re.search(rf"^\| [^|]*`{kind}`", README, re.MULTILINE)


def test_each_kind_of_cause_in_the_readme_is_one():
    told = {
        kind
        for line in README.splitlines()
        if line.startswith("| `")
        for kind in re.findall(r"`([a-z-]+)`", line.split("|")[1])
    }
    assert told - KINDS <= {"preflight"}


def test_each_setting_stands_in_the_readme_with_its_default():
    for each in fields(Settings):
        name, default = each.metadata["name"], f"{each.default:g}"
        assert re.search(rf"^\| `{name}` \| `?{default}`? \|", README, re.MULTILINE), name


def test_each_command_stands_in_the_readme_and_on_the_menu():
    menu = (FOLDER.parent / "Makefile").read_text()
    for name, command in main.commands.items():
        assert re.search(rf"^{name}: setup-delivery ## ", menu, re.MULTILINE)
        assert command.help
        if name not in ("scan", "build"):
            assert f"| `make {name}` |" in README


def test_no_message_advises_to_push_an_unscanned_image():
    """Which would be refused."""
    texts = [*FOLDER.rglob("*.py"), *FOLDER.parent.glob("*/README.md"), FOLDER.parent / "README.md"]
    advised = re.findall(r"make build [a-z -]*push", "\n".join(path.read_text() for path in texts))
    assert set(advised) == {"make build scan-image push"}


def test_each_check_stands_in_the_readme():
    told = " ".join(README.split())
    said = {"deployments": "other deployments", "scan": "its scan", "capacity": "room for one more task"}
    for name in CHECKS:
        assert said.get(name, name) in told.lower()


def test_each_outcome_stands_in_the_schema_of_receipts():
    schema = json.loads((FOLDER / "deployment/receipt.schema.json").read_text())
    assert schema["properties"]["outcome"]["enum"] == [outcome.title for outcome in Outcome]
