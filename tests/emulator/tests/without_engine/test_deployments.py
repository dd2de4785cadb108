"""A deployment's fate: done, rolled back, stopped, superseded; and what ECS says of it."""

import pytest

from tests.emulator.capacity import PlacementError
from tests.emulator.tests.without_engine.scripted_service import GROUP, ScriptedService


@pytest.fixture
def stage():
    """A service whose first release is live."""
    stage = ScriptedService()
    stage.settle()
    assert stage.service.primary.state == "COMPLETED"
    return stage


def said(stage):
    return [event["message"] for event in reversed(stage.service.events)]


def test_a_good_release_is_successful(stage):
    new = stage.deploy("books:2")
    stage.settle()
    assert stage.service.deployments == [new]
    assert new.reason == f"ECS deployment {new.id} completed."
    assert new.release.status == "SUCCESSFUL"
    assert said(stage)[-2:] == [
        f"(service books) (deployment {new.id}) deployment completed.",
        "(service books) has reached a steady state.",
    ]


def test_a_release_names_the_revision_that_it_replaces(stage):
    before = stage.service.primary
    new = stage.deploy("books:2")
    assert new.release.source_revisions == [before.revision]
    assert stage.service.revisions[new.revision]["taskDefinition"] == "books:2"


def test_three_failures_roll_back_to_the_last_completed_deployment(stage):
    good = stage.service.primary
    bad = stage.deploy("books:2")
    stage.settle(good=False)
    assert stage.service.deployments == [good]
    assert [(task.deployment, task.healthy) for task in stage.tasks] == [(good, True)] * 2
    assert (bad.state, bad.reason) == ("FAILED", "ECS deployment circuit breaker: tasks failed to start.")
    assert bad.release.status == "ROLLBACK_SUCCESSFUL"
    assert bad.release.rollback
    assert bad.release.rollback["serviceRevisionArn"] == good.revision
    assert bad.release.failures >= bad.release.threshold == 3
    assert stage.service.settings["taskDefinition"] == "books:1"


def test_while_it_rolls_back_both_deployments_show(stage):
    good = stage.service.primary
    bad = stage.deploy("books:2")
    stage.look()
    stage.of(good)[0].stop("An instance went away", "UserInitiated")  # so that the rollback has something to do
    bad.failed_tasks = 3
    stage.look()
    assert [entry.status for entry in stage.service.deployments] == ["PRIMARY", "ACTIVE"]
    assert stage.service.deployments == [good, bad]
    assert good.reason == f"ECS deployment circuit breaker: rolling back to deploymentId {good.id}."
    assert bad.release.status == "ROLLBACK_IN_PROGRESS"


def test_a_failed_deployment_starts_no_more_tasks(stage):
    stage.service.settings["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"] = False
    bad = stage.deploy("books:2")
    stage.settle(good=False)
    assert bad.state == "FAILED"
    assert bad.release.status == "STOPPED"
    tried = len(stage.world.tasks)
    stage.look(3)
    assert len(stage.world.tasks) == tried


def test_a_release_is_pending_until_its_first_task_starts(stage):
    new = stage.deploy("books:2")
    assert new.release.status == "PENDING"
    stage.look()
    assert new.release.status == "IN_PROGRESS"
    assert new.release.times["startedAt"]


def test_a_first_release_that_fails_has_nothing_to_roll_back_to():
    stage = ScriptedService()
    bad = stage.service.primary
    stage.settle(good=False)
    assert bad.state == "FAILED"
    assert bad.release.status == "ROLLBACK_FAILED"


def test_a_rollback_can_fail_too(stage):
    stage.deploy("books:2")
    stage.look()
    release = stage.service.primary.release
    stage.service.primary.failed_tasks = 3
    stage.look()
    stage.service.primary.failed_tasks = 3
    stage.look()
    assert release.status == "ROLLBACK_FAILED"
    stage.settle()
    assert release.status == "ROLLBACK_FAILED"


def test_someone_can_ask_for_a_rollback(stage):
    good = stage.service.primary
    new = stage.deploy("books:2")
    stage.look()
    for task in stage.of(new):
        stage.run(task)
    new.release.reach("ROLLBACK_REQUESTED")
    stage.settle()
    assert new.release.status == "ROLLBACK_SUCCESSFUL"
    assert stage.service.deployments == [good]


def test_a_rollback_that_was_asked_for_can_fail_without_another(stage):
    stage.service.settings["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"] = False
    new = stage.deploy("books:2")
    stage.look()
    new.release.reach("ROLLBACK_REQUESTED")
    for task in stage.of(stage.service.completed):
        task.stop("An instance went away", "UserInitiated")
    stage.look()
    stage.service.primary.failed_tasks = 3
    stage.look()
    assert new.release.status == "ROLLBACK_FAILED"


def test_an_alarm_ends_a_rollout(stage):
    stage.service.settings["deploymentConfiguration"]["alarms"] = {
        "enable": True,
        "rollback": True,
        "alarmNames": ["errors"],
    }
    new = stage.deploy("books:2")
    stage.look()
    stage.alarms = ["errors"]
    stage.settle()
    assert new.release.status == "ROLLBACK_SUCCESSFUL"
    assert new.reason == "ECS deployment failed: alarm detected."


def test_a_newer_deployment_supersedes_one_that_is_under_way(stage):
    first = stage.deploy("books:2")
    stage.look()
    second = stage.deploy("books:3")
    assert first.release.status == "STOPPED"
    stage.settle()
    assert second.release.status == "SUCCESSFUL"
    assert stage.service.deployments == [second]


def test_a_healthy_task_makes_up_for_those_that_failed_before_it(stage):
    new = stage.deploy("books:2")
    stage.look()
    stage.stop(stage.of(new)[0])
    assert new.failed_tasks == 1
    stage.run(stage.of(new)[0])
    stage.look()
    assert new.failed_tasks == 0


def test_unless_the_service_says_that_it_does_not(stage):
    stage.service.settings["deploymentConfiguration"]["deploymentCircuitBreaker"]["resetOnHealthyTask"] = False
    new = stage.deploy("books:2")
    stage.look()
    stage.stop(stage.of(new)[0])
    stage.run(stage.of(new)[0])
    stage.look()
    assert new.failed_tasks == 1


def test_an_old_task_that_stops_is_no_failure_of_the_new_deployment(stage):
    old, new = stage.service.primary, stage.deploy("books:2")
    stage.look()
    stage.stop(stage.of(old)[0])
    assert new.failed_tasks == 0


def test_a_task_that_fails_the_load_balancers_checks_is_stopped_in_awss_words(stage):
    new = stage.deploy("books:2")
    stage.look()
    task = stage.of(new)[0]
    stage.run(task, "unhealthy", "Health checks failed with these codes: [500]")
    stage.look()
    assert task.stopped_reason == f"Task failed ELB health checks in (target-group {GROUP})"
    assert task.stop_code == "ServiceSchedulerInitiated"
    assert (
        f"(service books) (task {task.id}) (port 8000) is unhealthy in (target-group {GROUP}) due to "
        "(reason Health checks failed with these codes: [500])."
    ) in said(stage)
    stage.stop(task)
    assert new.failed_tasks == 1


def test_within_the_grace_period_it_is_not(stage):
    stage.service.settings["healthCheckGracePeriodSeconds"] = 36000
    new = stage.deploy("books:2")
    stage.look()
    task = stage.of(new)[0]
    stage.run(task, "unhealthy")
    stage.look()
    assert task.wanted
    task.times["startedAt"] -= 36000
    stage.look()
    assert not task.wanted


def test_a_task_whose_container_is_unhealthy_is_stopped(stage):
    new = stage.deploy("books:2")
    stage.look()
    task = stage.of(new)[0]
    stage.run(task)
    task.containers[0].definition["healthCheck"] = {"command": ["CMD", "false"]}
    stage.look()
    assert not task.healthy  # not known yet
    task.containers[0].health = "UNHEALTHY"
    stage.look()
    assert task.stopped_reason == "Task failed container health checks"


def test_a_task_that_stopped_is_replaced(stage):
    stage.stop(stage.tasks[0])
    stage.settle()
    assert len(stage.tasks) == 2
    assert said(stage)[-1] == "(service books) has reached a steady state."


def test_tasks_that_fail_are_not_tried_again_at_once(stage):
    new = stage.deploy("books:2")
    stage.look()
    for task in stage.of(new):
        stage.stop(task)
    stage.scheduler.look(stage.service)
    assert not stage.of(new)


def test_a_lack_of_room_is_said_and_is_no_failure(stage):
    stage.full = PlacementError("has insufficient memory available.", "RESOURCE:MEMORY")
    new = stage.deploy("books:2")
    stage.look(5)
    assert "no container instance met all of its requirements" in said(stage)[-1]
    assert new.failed_tasks == 0
    assert new.state == "IN_PROGRESS"


def test_a_service_that_is_deleted_ends_when_its_tasks_have(stage):
    stage.service.status, stage.service.desired = "DRAINING", 0
    stage.look()
    assert stage.service.status == "DRAINING"
    for task in stage.tasks:
        stage.stop(task)
    stage.look()
    assert stage.service.status == "INACTIVE"
