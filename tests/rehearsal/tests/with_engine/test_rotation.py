"""The rotation of the database's password: the rule and the state machine of the service's stack."""

from __future__ import annotations

import json

import pytest

from delivery.aws.stacks.update import ECS
from tests.cloudformation import parse
from tests.emulator import ACCOUNT, REGION, CallError, until

PARTS = ("SecretRotated", "SecretRotatedRole", "NewTasks", "NewTasksRole")
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-1-aBcDeF"
IMPORTED = {"site-ClusterName": "site", "site-DatabaseSecretArn": SECRET}


@pytest.fixture(scope="module")
def rule(aws, service, tmp_path_factory):
    """The rule of a stack with these parts of the service's, beside a stack that exports the values they import."""
    template = parse((ECS / "service.yml").read_text())
    exports = [{"Value": value, "Export": {"Name": name}} for name, value in IMPORTED.items()]
    outputs = {f"Value{number}": export for number, export in enumerate(exports)}
    stacks = {
        "exports": {"Resources": {"Cluster": {"Type": "AWS::ECS::Cluster"}}, "Outputs": outputs},
        "rotation": {
            "Parameters": {"Project": {"Type": "String", "Default": "site"}},
            "Resources": {name: template["Resources"][name] for name in PARTS},
        },
    }
    for name, body in stacks.items():
        path = tmp_path_factory.mktemp("stacks") / f"{name}.json"
        path.write_text(json.dumps(body))
        command = f"cloudformation deploy --stack-name={name} --capabilities=CAPABILITY_NAMED_IAM"
        aws.cli(f"{command} --template-file={path}")
    yield aws("events", "describe_rule", Name="site-secret-rotated")
    for name in reversed(stacks):
        aws("cloudformation", "delete_stack", StackName=name)


def rotated(**changed):
    """Return the event that CloudTrail sends, with changes to its detail.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html
    """
    detail = {"eventSource": "secretsmanager.amazonaws.com", "eventType": "AwsServiceEvent"}
    detail |= {"eventName": "RotationSucceeded", "additionalEventData": {"SecretId": SECRET}}
    event = {"version": "0", "id": "1", "source": "aws.secretsmanager", "account": ACCOUNT, "region": REGION}
    moment = {"detail-type": "AWS Service Event via CloudTrail", "time": "2026-11-28T03:00:00Z", "resources": []}
    return json.dumps({**event, **moment, "detail": detail | changed})


@pytest.mark.parametrize(
    ("changed", "matches"),
    [
        ({}, True),
        ({"eventName": "RotationFailed"}, False),
        ({"additionalEventData": {"SecretId": f"{SECRET}2"}}, False),
    ],
    ids=["rotated", "failed", "another secret"],
)
def test_the_rule_is_about_the_rotation_of_this_secret(aws, rule, changed, matches):
    answer = aws("events", "test_event_pattern", EventPattern=rule["EventPattern"], Event=rotated(**changed))
    assert answer["Result"] is matches


def test_a_malformed_pattern_is_refused(aws, rule):
    wrong = rule["EventPattern"].replace('["RotationSucceeded"]', '"RotationSucceeded"')
    assert wrong != rule["EventPattern"]
    with pytest.raises(CallError, match="InvalidEventPattern"):
        aws("events", "test_event_pattern", EventPattern=wrong, Event=rotated())


def test_the_state_machine_starts_new_tasks_of_what_runs(aws, live, rule):
    before = live.describe()["deployments"][0]
    (target,) = aws("events", "list_targets_by_rule", Rule=rule["Name"])["Targets"]
    started = aws("stepfunctions", "start_execution", stateMachineArn=target["Arn"])["executionArn"]

    describe = lambda: aws("stepfunctions", "describe_execution", executionArn=started)  # noqa: E731
    shown = until(lambda: found if (found := describe())["status"] != "RUNNING" else None)
    assert shown["status"] == "SUCCEEDED", shown
    live.steady()
    after = live.describe()["deployments"][0]
    assert after["id"] != before["id"]
    assert after["taskDefinition"] == before["taskDefinition"]
