"""Answers that a delivery relies on: one task for one token, and what was not found."""

import pytest

from tests.emulator import CallError


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
