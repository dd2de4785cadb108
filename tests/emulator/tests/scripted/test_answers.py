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


def container(name, **more):
    return {"name": name, "image": "site", "memory": 64, **more}


@pytest.mark.parametrize(
    ("containers", "words"),
    [
        (
            [container("a", portMappings=[{"containerPort": 80, "hostPort": 8000}])],
            "the host ports and container ports",
        ),
        ([container("a", dependsOn=[{"containerName": "b", "condition": "START"}])], "because it does not exist"),
    ],
)
def test_a_task_definition_that_cannot_run_is_not_registered(aws, containers, words):
    with pytest.raises(CallError, match=words) as refused:
        aws("ecs", "register_task_definition", family="x", networkMode="awsvpc", containerDefinitions=containers)
    assert refused.value.code == "ClientException"


@pytest.mark.parametrize(
    ("name", "port", "words"),
    [
        ("edge", 8000, "The container edge does not exist in the task definition."),
        ("site", 8001, "The container site did not have a container port 8001 defined."),
    ],
)
def test_a_service_whose_load_balancer_is_to_reach_what_is_not_there_is_refused(aws, name, port, words):
    containers = [container("site", portMappings=[{"containerPort": 8000}])]
    made = aws("ecs", "register_task_definition", family="reached", containerDefinitions=containers)
    definition = made["taskDefinition"]["taskDefinitionArn"]
    balancers = [{"targetGroupArn": "any", "containerName": name, "containerPort": port}]
    wanted = {"cluster": "site", "taskDefinition": definition, "loadBalancers": balancers}
    with pytest.raises(CallError, match=words) as refused:
        aws("ecs", "create_service", serviceName="reached", **wanted)
    assert refused.value.code == "InvalidParameterException"
