"""The service scheduler's decisions: the tasks to start, the tasks to stop, and the end of a deployment."""

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


def test_all_new_tasks_start_beside_the_old_ones(scripted):
    old = scripted.service.primary
    new = scripted.begin("books:2")
    assert len(scripted.of(new)) == len(scripted.of(old)) == 2
    assert all(task.wanted for task in scripted.of(old))


def test_an_old_task_stops_only_when_a_new_one_is_healthy(scripted):
    old, new = scripted.service.primary, scripted.begin("books:2")
    first, second = scripted.of(new)
    scripted.run(first)
    scripted.run(second, state="initial")
    scripted.look(3)
    assert sum(task.wanted for task in scripted.of(old)) == 1
    scripted.run(second)
    scripted.look(2)
    assert not any(task.wanted for task in scripted.of(old))


def test_without_room_for_a_new_task_an_old_one_makes_it():
    scripted = ScriptedService(minimumHealthyPercent=50, maximumPercent=100)
    scripted.settle()
    old, new = scripted.service.primary, scripted.begin("books:2")
    assert sum(task.wanted for task in scripted.of(old)) == 1
    assert not scripted.of(new)
    scripted.look()
    assert len(scripted.of(new)) == 1


def test_old_tasks_that_are_not_healthy_go_at_once(scripted):
    scripted.begin("books:2")
    superseded = scripted.service.primary
    scripted.begin("books:3")
    assert not any(task.wanted for task in scripted.of(superseded))


def test_a_service_of_no_tasks_stops_all_of_them(scripted):
    scripted.service.desired = 0
    scripted.look()
    assert not any(task.wanted for task in scripted.tasks)


def test_of_too_many_tasks_one_that_is_not_healthy_goes_first():
    scripted = ScriptedService()
    scripted.look()
    healthy, waiting = scripted.tasks
    scripted.run(healthy)
    scripted.run(waiting, state="initial")
    scripted.service.desired = 1
    scripted.look()
    assert healthy.wanted
    assert not waiting.wanted


def test_a_deployment_is_done_when_the_last_old_task_is_gone(scripted):
    old, new = scripted.service.primary, scripted.begin("books:2")
    scripted.run(*scripted.of(new))
    scripted.look(3)
    assert new.state == "IN_PROGRESS"
    scripted.stop(*scripted.of(old))
    scripted.look()
    assert new.state == "COMPLETED"
    assert scripted.service.deployments == [new]
