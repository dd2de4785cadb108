"""The registry's lifecycle rules, which moto checks as ECR does; the emulator accepts any."""

from __future__ import annotations

import subprocess

import pytest

from delivery.aws.stacks.update import ECS
from tests.cloudformation import parse
from tests.emulator.interface import PROGRAMS

RULES = parse((ECS / "registry.yml").read_text())["Resources"]["Repository"]["Properties"]["LifecyclePolicy"]
JUDGE = """
import sys, boto3, moto
with moto.mock_aws():
    ecr = boto3.client("ecr", "eu-central-1")
    ecr.create_repository(repositoryName="site")
    ecr.put_lifecycle_policy(repositoryName="site", lifecyclePolicyText=sys.stdin.read())
"""


def judged(rules):
    """Return moto's refusal of the rules' text; empty when it accepts them."""
    command = [PROGRAMS / "python", "-c", JUDGE]
    return subprocess.run(command, input=rules, capture_output=True, text=True, check=False).stderr


def test_a_registry_accepts_the_rules(ready):
    assert judged(RULES["LifecyclePolicyText"]) == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("imageCountMoreThan", "imageCountMore"), ('"untagged"', '"untaged"'), ("}},\n", "}}\n"), ("180", "0")],
    ids=["a count", "a status", "a comma", "a number"],
)
def test_malformed_rules_are_refused(ready, right, wrong):
    assert right in RULES["LifecyclePolicyText"]
    assert "InvalidParameterException" in judged(RULES["LifecyclePolicyText"].replace(right, wrong, 1))
