"""What the service scheduler decides: how many tasks start, which stop, and when a deployment is done."""

import pytest

from tests.emulator import rollout
from tests.emulator.tests.without_engine.scripted_service import ScriptedService


@pytest.mark.parametrize(
    ("configuration", "desired", "limits"),
    [
        ({}, 2, (2, 4)),
        ({"minimumHealthyPercent": 50, "maximumPercent": 150}, 3, (2, 4)),  # 1.5 and 4.5
        ({"minimumHealthyPercent": 0, "maximumPercent": 100}, 2, (0, 2)),
    ],
)
def test_the_lower_limit_is_rounded_up_and_the_upper_one_down(configuration, desired, limits):
    assert rollout.limits(configuration, desired) == limits


@pytest.mark.parametrize(
    ("breaker", "desired", "failures"),
    [
        ({}, 1, 3),
        ({}, 2, 3),
        ({}, 8, 4),
        ({}, 1000, 200),
        ({"thresholdConfiguration": {"type": "COUNT", "value": 2}}, 2, 2),
        ({"thresholdConfiguration": {"type": "UNBOUNDED_PERCENT", "value": 50}}, 2, 1),
    ],
)
def test_the_breaker_opens_after_half_of_the_tasks_but_within_bounds(breaker, desired, failures):
    assert rollout.threshold(breaker, desired) == failures


def test_all_new_tasks_start_beside_the_old_ones():
    stage = ScriptedService()
    stage.settle()
    old = stage.service.primary
    new = stage.deploy("books:2")
    stage.look()
    assert len(stage.of(new)) == len(stage.of(old)) == 2
    assert all(task.wanted for task in stage.of(old))


def test_an_old_task_stops_only_when_a_new_one_is_healthy():
    stage = ScriptedService()
    stage.settle()
    old, new = stage.service.primary, stage.deploy("books:2")
    stage.look()
    first, second = stage.of(new)
    stage.run(first)
    stage.run(second, "initial")
    stage.look(3)
    assert sum(task.wanted for task in stage.of(old)) == 1
    stage.run(second)
    stage.look(2)
    assert not any(task.wanted for task in stage.of(old))


def test_without_room_for_a_new_task_an_old_one_makes_it():
    stage = ScriptedService(minimumHealthyPercent=50, maximumPercent=100)
    stage.settle()
    old, new = stage.service.primary, stage.deploy("books:2")
    stage.look()
    assert sum(task.wanted for task in stage.of(old)) == 1
    assert not stage.of(new)
    stage.look()
    assert len(stage.of(new)) == 1


def test_old_tasks_that_serve_nobody_go_at_once():
    stage = ScriptedService()
    stage.settle()
    stage.deploy("books:2")
    stage.look()
    superseded = stage.service.primary
    stage.deploy("books:3")
    stage.look()
    assert not any(task.wanted for task in stage.of(superseded))


def test_a_service_of_no_tasks_stops_all_of_them():
    stage = ScriptedService()
    stage.settle()
    stage.service.desired = 0
    stage.look()
    assert not any(task.wanted for task in stage.tasks)


def test_of_too_many_tasks_one_that_is_not_healthy_goes_first():
    stage = ScriptedService()
    stage.look()
    healthy, waiting = stage.tasks
    stage.run(healthy)
    stage.run(waiting, "initial")
    stage.service.desired = 1
    stage.look()
    assert healthy.wanted
    assert not waiting.wanted


def test_a_deployment_is_done_when_the_last_old_task_is_gone():
    stage = ScriptedService()
    stage.settle()
    old, new = stage.service.primary, stage.deploy("books:2")
    stage.look()
    for task in stage.of(new):
        stage.run(task)
    stage.look(3)
    assert new.state == "IN_PROGRESS"
    for task in stage.of(old):
        stage.stop(task)
    stage.look()
    assert new.state == "COMPLETED"
    assert stage.service.deployments == [new]
