"""From AWS's answers to one cause. In diagnoses/ each .json has the answers, and its .txt the words.

Of a rollout a .json has what differs from typical_rollout.json.
"""

import json
from pathlib import Path

import pytest

from delivery.aws.ecs import diagnosis
from delivery.aws.ecs.diagnosis import Evidence
from delivery.aws.errors import AwsError
from delivery.terminal.shell import CommandError
from tests.conftest import unavailable
from tests.delivery.aws.fake_cli import member_errors, model

DIAGNOSES = Path(__file__).with_name("diagnoses")
NAMES = sorted(path.stem for path in DIAGNOSES.glob("*.json"))


TYPICAL = json.loads(Path(__file__).with_name("typical_rollout.json").read_text())


def load(name):
    given = json.loads((DIAGNOSES / f"{name}.json").read_text())
    return merged(TYPICAL, given) if given["of"] == "rollout" else given


def merged(typical, given):
    """Return what is given, objects completed by what is typical."""
    if not (isinstance(typical, dict) and isinstance(given, dict)):
        return given
    return typical | {key: merged(typical.get(key), value) for key, value in given.items()}


def diagnose(given):
    match given["of"]:
        case "rollout":
            return diagnosis.of_rollout(Evidence(**given["evidence"]))
        case "migration":
            return diagnosis.of_migration(given["task"], "site", given["logs"], given["definition"])
        case "slow-migration":
            return diagnosis.of_slow_migration(given["task"], given["logs"], given["seconds"])
        case "placement":
            return diagnosis.of_placement(given["failures"])
        case "successor":
            return diagnosis.of_successor(given["successor"])
        case "error":
            return AwsError(CommandError(("aws",), 254, given["errors"])).cause


@pytest.mark.parametrize("name", NAMES)
def test_a_failure_has_one_cause_with_its_evidence_and_what_to_change(name):
    cause = diagnose(load(name))
    assert f"[{cause.kind}]\n{cause.text()}\n" == (DIAGNOSES / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_diagnosed_is_what_aws_really_gives(name):
    if model("ecs") is None:
        unavailable("the aws CLI, whose models say so, is not installed (make setup FOR=delivery)")
    given = load(name)
    evidence = given.get("evidence", {})
    parts = [
        ("ecs", "ServiceDeployment", evidence.get("deployment")),
        ("ecs", "ServiceDeploymentBrief", given.get("successor")),
        ("ecs", "Service", evidence.get("service")),
        ("ecs", "TaskDefinition", evidence.get("definition") or given.get("definition")),
        *(("ecs", "Task", task) for part in ("tasks", "starting") for task in evidence.get(part, [])),
        ("ecs", "Task", given.get("task")),
        *(("ecs", "Failure", failure) for failure in given.get("failures", [])),
        *(("elbv2", "TargetHealthDescription", target) for target in evidence.get("targets", [])),
    ]
    for service, shape, said in parts:
        assert member_errors(service, shape, said or {}) == ""


def test_every_cause_says_what_to_change_and_names_a_file_or_says_that_there_is_none():
    for name in NAMES:
        cause = diagnose(load(name))
        if cause.kind != "aws-error":
            assert any(
                word in cause.change for word in ("ecs/", "src/", "none", "run this again", ".gitlab-ci.yml", "events")
            )


def test_a_cli_that_is_not_there_is_said_to_be():
    cause = AwsError(CommandError(("aws",), 127, "aws is not there")).cause
    assert cause.sentence == "There is no aws CLI to make the calls."


def test_a_long_log_is_shown_by_its_last_lines_each_cut():
    given = load("exits-at-once")
    given["evidence"]["logs"]["site"] = [f"line {number} {'x' * 600}" for number in range(100)]
    evidence = diagnose(given).evidence
    assert len(evidence) == 10
    assert evidence[-1].startswith("line 99 ")
    assert all(len(line) <= 501 for line in evidence)
