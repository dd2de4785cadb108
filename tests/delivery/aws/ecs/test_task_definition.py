"""Task definitions: another image, and nothing else."""

import pytest

from delivery.aws.ecs import capacity, task_definition
from tests.conftest import unavailable
from tests.delivery.aws.fake_cli import model
from tests.delivery.aws.resources import ARN, NAME, REGISTRY, agent, definition

REPOSITORY = f"{REGISTRY}/{NAME}"
OLD = definition(f"{ARN}:task-definition/colophon:7", 7, f"{REPOSITORY}@sha256:old")


def test_what_is_left_out_is_what_ecs_says_and_does_not_take():
    ecs = model("ecs")
    if ecs is None:
        unavailable("the aws CLI, whose models say so, is not installed (make setup FOR=delivery)")
    said = set(ecs.shape_for("TaskDefinition").members)
    taken = set(ecs.shape_for("RegisterTaskDefinitionRequest").members)
    assert said - taken == task_definition.SAID_ONLY


def test_every_container_of_the_repository_gets_the_image_and_any_other_keeps_its_own():
    several = OLD | {"containerDefinitions": [agent(), *OLD["containerDefinitions"]]}
    new = task_definition.with_image(several, f"{REPOSITORY}@sha256:new")
    assert new["containerDefinitions"][0] == agent()
    assert task_definition.images(new, NAME) == dict.fromkeys(("site", "edge"), f"{REPOSITORY}@sha256:new")


@pytest.mark.parametrize(
    "image",
    [
        "registry.example.org/vendor/colophon:1",
        "colophon/agent@sha256:abc",
        "host/colophon-agent:1",
        "colophon:1",
        f"{REPOSITORY}/agent:1",
    ],
)
def test_an_image_with_the_project_s_name_in_another_s_is_not_the_project_s(image):
    assert task_definition.own([{"name": "agent", "image": image}], NAME) == []


def test_the_one_that_is_given_is_left_as_it_is():
    task_definition.with_image(OLD, f"{REPOSITORY}@sha256:new")
    assert {*task_definition.images(OLD, NAME).values()} == {f"{REPOSITORY}@sha256:old"}


def test_the_difference_is_shown_line_by_line():
    new = task_definition.with_image(OLD, f"{REPOSITORY}@sha256:new")
    lines = [f'-      "image": "{REPOSITORY}@sha256:old",', f'+      "image": "{REPOSITORY}@sha256:new",']
    assert task_definition.difference(OLD, new) == ["colophon:7:", *lines, *lines]


@pytest.mark.parametrize(
    ("image", "digest"), [("repository@sha256:abc", "sha256:abc"), ("repository:none", None), (None, None)]
)
def test_a_digest_is_what_stands_behind_the_at(image, digest):
    assert task_definition.digest(image) == digest


@pytest.mark.parametrize("image", ["host:5000/site@sha256:abc", "host:5000/site:none", "host:5000/site"])
def test_a_repository_is_what_stands_before_digest_and_tag(image):
    assert task_definition.repository(image) == "host:5000/site"


@pytest.mark.parametrize(
    ("task", "needs"),
    [
        ({"cpu": "512", "memory": "1024", "containerDefinitions": [{}]}, (512, 1024)),
        (
            {"containerDefinitions": [{"cpu": 100, "memory": 300}, {"cpu": 28, "memory": 9, "memoryReservation": 4}]},
            (128, 304),
        ),
        ({"cpu": "512", "containerDefinitions": [{"memory": 1024, "memoryReservation": 384}]}, (512, 384)),
        ({"containerDefinitions": [{"memory": 300, "linuxParameters": {"sharedMemorySize": 128}}]}, (0, 428)),
    ],
)
def test_a_task_needs_what_it_reserves(task, needs):
    assert capacity.needs(task) == needs


def test_on_fargate_there_is_always_room():
    service = {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}
    assert capacity.room(None, service, OLD).unbounded
