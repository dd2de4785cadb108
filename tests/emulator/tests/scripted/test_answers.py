"""Answers that a delivery relies on: one task for one token, what was not found, and whose secret it is."""

import json

import pytest

from tests.emulator import CallError, until


def test_a_call_that_is_made_twice_with_one_token_starts_one_task(aws, register):
    run = {"cluster": "site", "taskDefinition": register("once"), "clientToken": "one", "startedBy": "a test"}
    first = aws("ecs", "run_task", **run)["tasks"][0]["taskArn"]
    assert aws("ecs", "run_task", **run)["tasks"][0]["taskArn"] == first
    with pytest.raises(CallError) as refused:
        aws("ecs", "run_task", **{**run, "startedBy": "another"})
    assert refused.value.code == "ConflictException"
    assert aws("ecs", "run_task", **{**run, "clientToken": "two"})["tasks"][0]["taskArn"] != first


def test_a_capacity_provider_that_is_not_there_is_a_failure_of_the_answer(aws):
    found = aws("ecs", "describe_capacity_providers", capacityProviders=["FARGATE", "never"])
    assert [provider["name"] for provider in found["capacityProviders"]] == ["FARGATE"]
    assert found["failures"] == [{"arn": "never", "reason": "MISSING"}]


def test_a_secret_of_rds_says_so_and_others_say_nothing(aws):
    engine = {"Engine": "postgres", "DBInstanceClass": "db.t4g.micro", "AllocatedStorage": "20"}
    database = {"MasterUsername": "site", "ManageMasterUserPassword": True, **engine}
    template = {
        "Resources": {"Database": {"Type": "AWS::RDS::DBInstance", "Properties": database}},
        "Outputs": {"Secret": {"Value": {"Fn::GetAtt": ["Database", "MasterUserSecret.SecretArn"]}}},
    }
    aws("cloudformation", "create_stack", StackName="database", TemplateBody=json.dumps(template))
    outputs = until(lambda: aws("cloudformation", "describe_stacks", StackName="database")["Stacks"][0].get("Outputs"))
    assert aws("secretsmanager", "describe_secret", SecretId=outputs[0]["OutputValue"])["OwningService"] == "rds"
    aws("secretsmanager", "create_secret", Name="own", SecretString="x")
    assert "OwningService" not in aws("secretsmanager", "describe_secret", SecretId="own")
