"""The ends of a deployment: completed, rolled back, stopped, superseded; and ECS's sentences about each."""

import pytest

from tests.emulator import responses
from tests.emulator.capacity import PlacementError
from tests.emulator.tests.without_engine.scripted_service import GROUP, ScriptedService


def said(scripted):
    return [event["message"] for event in reversed(scripted.service.events)]


def test_a_good_release_is_successful(scripted):
    new = scripted.deploy("books:2")
    scripted.settle()
    assert scripted.service.deployments == [new]
    assert new.reason == f"ECS deployment {new.id} completed."
    assert new.release.status == "SUCCESSFUL"
    assert said(scripted)[-2:] == [
        f"(service books) (deployment {new.id}) deployment completed.",
        "(service books) has reached a steady state.",
    ]


def test_a_release_names_the_revision_that_it_replaces(scripted):
    before = scripted.service.primary
    new = scripted.deploy("books:2")
    assert new.release.source_revisions == [before.revision]
    assert scripted.service.revisions[new.revision]["taskDefinition"] == "books:2"


def test_three_failures_roll_back_to_the_last_completed_deployment(scripted):
    good = scripted.service.primary
    bad = scripted.deploy("books:2")
    scripted.settle(good=False)
    assert scripted.service.deployments == [good]
    assert [(task.deployment, task.healthy) for task in scripted.tasks] == [(good, True)] * 2
    assert (bad.state, bad.reason) == ("FAILED", "ECS deployment circuit breaker: tasks failed to start.")
    assert bad.release.status == "ROLLBACK_SUCCESSFUL"
    assert bad.release.rollback
    assert bad.release.rollback["serviceRevisionArn"] == good.revision
    assert bad.release.failures >= bad.release.threshold == 3
    assert scripted.service.settings["taskDefinition"] == "books:1"


def test_while_it_rolls_back_both_deployments_show(scripted):
    good = scripted.service.primary
    bad = scripted.begin("books:2")
    scripted.of(good)[0].stop("An instance went away", "UserInitiated")  # so that the rollback has something to do
    bad.failed_tasks = 3
    scripted.look()
    assert [entry.status for entry in scripted.service.deployments] == ["PRIMARY", "ACTIVE"]
    assert scripted.service.deployments == [good, bad]
    assert good.reason == f"ECS deployment circuit breaker: rolling back to deploymentId {good.id}."
    assert bad.release.status == "ROLLBACK_IN_PROGRESS"


def test_a_failed_deployment_starts_no_more_tasks(scripted):
    scripted.service.breaker["rollback"] = False
    bad = scripted.deploy("books:2")
    scripted.settle(good=False)
    assert bad.state == "FAILED"
    assert bad.release.status == "STOPPED"
    tried = len(scripted.world.tasks)
    scripted.look(3)
    assert len(scripted.world.tasks) == tried


def test_a_release_is_pending_until_its_first_task_starts(scripted):
    new = scripted.deploy("books:2")
    assert new.release.status == "PENDING"
    scripted.look()
    assert new.release.status == "IN_PROGRESS"
    assert new.release.times["startedAt"]


def test_a_first_release_that_fails_has_nothing_to_roll_back_to():
    scripted = ScriptedService()
    bad = scripted.service.primary
    scripted.settle(good=False)
    assert bad.state == "FAILED"
    assert bad.release.status == "ROLLBACK_FAILED"


def test_a_rollback_can_fail_too(scripted):
    scripted.begin("books:2")
    release = scripted.service.primary.release
    scripted.service.primary.failed_tasks = 3
    scripted.look()
    scripted.service.primary.failed_tasks = 3
    scripted.look()
    assert release.status == "ROLLBACK_FAILED"
    scripted.settle()
    assert release.status == "ROLLBACK_FAILED"


def test_a_rollback_can_be_requested(scripted):
    good = scripted.service.primary
    new = scripted.begin("books:2")
    scripted.run(*scripted.of(new))
    new.release.reach("ROLLBACK_REQUESTED")
    scripted.settle()
    assert new.release.status == "ROLLBACK_SUCCESSFUL"
    assert scripted.service.deployments == [good]


def test_a_requested_rollback_can_fail_without_another(scripted):
    scripted.service.breaker["rollback"] = False
    new = scripted.begin("books:2")
    new.release.reach("ROLLBACK_REQUESTED")
    for task in scripted.of(scripted.service.completed):
        task.stop("An instance went away", "UserInitiated")
    scripted.look()
    scripted.service.primary.failed_tasks = 3
    scripted.look()
    assert new.release.status == "ROLLBACK_FAILED"


@pytest.fixture
def watched(scripted):
    """The service, which watches an alarm."""
    alarms = {"enable": True, "rollback": True, "alarmNames": ["errors"]}
    scripted.service.settings["deploymentConfiguration"]["alarms"] = alarms
    return scripted


def shown(scripted, deployment):
    """Return a deployment as DescribeServiceDeployments does."""
    return responses.release(scripted.world, scripted.service, deployment.release)


def test_an_alarm_ends_a_rollout(watched):
    new = watched.begin("books:2")
    watched.alarms = ["errors"]
    watched.settle()
    assert new.release.status == "ROLLBACK_SUCCESSFUL"
    assert new.reason == "ECS deployment failed: alarm detected."


def test_a_release_bakes_before_it_is_complete(watched):
    watched.bake = 1e9
    new = watched.begin("books:2")
    assert shown(watched, new)["lifecycleStage"] == "SCALE_UP"
    watched.settle()
    baking = shown(watched, new)
    assert (baking["status"], baking["lifecycleStage"]) == ("IN_PROGRESS", "BAKE_TIME")
    assert baking["alarms"]["status"] == "MONITORING"
    assert "finishedAt" not in baking
    watched.bake = 0
    watched.look()
    done = shown(watched, new)
    assert (done["status"], done["alarms"]["status"]) == ("SUCCESSFUL", "MONITORING_COMPLETE")
    assert done["finishedAt"] >= done["startedAt"]
    assert "lifecycleStage" not in done


def test_an_alarm_during_the_bake_undoes_a_release(watched):
    watched.bake = 1e9
    new = watched.begin("books:2")
    watched.settle()
    watched.alarms = ["errors"]
    watched.settle()
    assert shown(watched, new)["alarms"]["status"] == "TRIGGERED"
    assert new.release.status == "ROLLBACK_SUCCESSFUL"


def test_a_service_without_alarms_does_not_bake(scripted):
    scripted.bake = 1e9
    new = scripted.begin("books:2")
    scripted.settle()
    assert new.release.status == "SUCCESSFUL"


def test_alarms_that_are_on_at_the_start_of_a_deployment_are_not_watched_in_it(watched):
    watched.bake, watched.alarms = 1e9, ["errors"]
    new = watched.begin("books:2")
    assert shown(watched, new)["alarms"] == {"status": "DISABLED"}
    watched.settle()
    assert new.release.status == "SUCCESSFUL"


def test_a_deployment_that_is_stopped_says_since_when(scripted):
    new = scripted.begin("books:2")
    scripted.deploy("books:3")
    assert shown(scripted, new)["stoppedAt"]


def test_a_newer_deployment_supersedes_one_that_is_under_way(scripted):
    first = scripted.begin("books:2")
    second = scripted.deploy("books:3")
    assert first.release.status == "STOPPED"
    scripted.settle()
    assert second.release.status == "SUCCESSFUL"
    assert scripted.service.deployments == [second]


def test_a_healthy_task_makes_up_for_those_that_failed_before_it(scripted):
    new = scripted.begin("books:2")
    scripted.stop(scripted.of(new)[0])
    assert new.failed_tasks == 1
    scripted.run(scripted.of(new)[0])
    scripted.look()
    assert new.failed_tasks == 0


def test_without_resets_a_healthy_task_makes_up_for_nothing(scripted):
    scripted.service.breaker["resetOnHealthyTask"] = False
    new = scripted.begin("books:2")
    scripted.stop(scripted.of(new)[0])
    scripted.run(scripted.of(new)[0])
    scripted.look()
    assert new.failed_tasks == 1


def test_an_old_task_that_stops_is_no_failure_of_the_new_deployment(scripted):
    old, new = scripted.service.primary, scripted.begin("books:2")
    scripted.stop(scripted.of(old)[0])
    assert new.failed_tasks == 0


def test_a_task_that_fails_the_load_balancers_checks_is_stopped_in_awss_words(scripted):
    new = scripted.begin("books:2")
    task = scripted.of(new)[0]
    scripted.run(task, state="unhealthy", description="Health checks failed with these codes: [500]")
    scripted.look()
    assert task.stopped_reason == f"Task failed ELB health checks in (target-group {GROUP})"
    assert task.stop_code == "ServiceSchedulerInitiated"
    cause = f"(target-group {GROUP}) due to (reason Health checks failed with these codes: [500])"
    assert f"(service books) (task {task.id}) (port 8000) is unhealthy in {cause}." in said(scripted)
    scripted.stop(task)
    assert new.failed_tasks == 1


def test_an_unhealthy_task_is_kept_within_the_grace_period(scripted):
    scripted.service.settings["healthCheckGracePeriodSeconds"] = 36000
    new = scripted.begin("books:2")
    task = scripted.of(new)[0]
    scripted.run(task, state="unhealthy")
    scripted.look()
    assert task.wanted
    task.times["startedAt"] -= 36000
    scripted.look()
    assert not task.wanted


def test_a_task_whose_container_is_unhealthy_is_stopped(scripted):
    new = scripted.begin("books:2")
    task = scripted.of(new)[0]
    scripted.run(task)
    task.containers[0].definition["healthCheck"] = {"command": ["CMD", "false"]}
    scripted.look()
    assert not task.healthy  # not known yet
    task.containers[0].health = "UNHEALTHY"
    scripted.look()
    assert task.stopped_reason == "Task failed container health checks"


def test_a_task_that_stopped_is_replaced(scripted):
    scripted.stop(scripted.tasks[0])
    scripted.settle()
    assert len(scripted.tasks) == 2
    assert said(scripted)[-1] == "(service books) has reached a steady state."


def test_tasks_that_fail_are_not_tried_again_at_once(scripted):
    new = scripted.begin("books:2")
    scripted.stop(*scripted.of(new))
    scripted.scheduler.look(scripted.service)
    assert not scripted.of(new)


def test_a_lack_of_room_is_an_event_and_no_failure(scripted):
    scripted.full = PlacementError("has insufficient memory available.", "RESOURCE:MEMORY")
    new = scripted.deploy("books:2")
    scripted.look(5)
    assert "no container instance met all of its requirements" in said(scripted)[-1]
    assert new.failed_tasks == 0
    assert new.state == "IN_PROGRESS"


def test_a_service_that_is_deleted_ends_when_its_tasks_have(scripted):
    scripted.service.status, scripted.service.desired = "DRAINING", 0
    scripted.look()
    assert scripted.service.status == "DRAINING"
    scripted.stop(*scripted.tasks)
    scripted.look()
    assert scripted.service.status == "INACTIVE"
