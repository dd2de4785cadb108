"""Answers that a delivery relies on: one task for one token, and what was not found."""

import pytest

from tests.emulator import CallError


def test_a_call_that_is_made_twice_with_one_token_starts_one_task(aws, register):
    run = {"cluster": "site", "taskDefinition": register("once"), "clientToken": "one", "startedBy": "a test"}
    started = lambda **changed: [task["taskArn"] for task in aws("ecs", "run_task", **run | changed)["tasks"]]  # noqa: E731
    first = started()
    assert started() == first
    with pytest.raises(CallError) as refused:
        started(startedBy="another")
    assert refused.value.code == "ConflictException"
    assert started(clientToken="two") != first


def test_a_capacity_provider_that_is_not_there_is_a_failure_of_the_answer(aws):
    found = aws("ecs", "describe_capacity_providers", capacityProviders=["FARGATE", "never"])
    assert [provider["name"] for provider in found["capacityProviders"]] == ["FARGATE"]
    assert found["failures"] == [{"arn": "never", "reason": "MISSING"}]


def test_a_family_is_its_latest_revision_that_is_active(aws, register):
    kept, taken_back = register("family"), register("family")
    aws("ecs", "deregister_task_definition", taskDefinition=taken_back)
    found = aws("ecs", "describe_task_definition", taskDefinition="family")["taskDefinition"]
    assert found["taskDefinitionArn"] == kept
    aws("ecs", "deregister_task_definition", taskDefinition=kept)
    with pytest.raises(CallError, match="Unable to describe task definition"):
        aws("ecs", "describe_task_definition", taskDefinition="family")
