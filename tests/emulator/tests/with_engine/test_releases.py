"""Releases, good and bad, while visitors load the site: none of them may meet a failure."""

import pytest

from tests.emulator import until
from tests.emulator.tests.with_engine.service import arn_of


def test_a_good_release_replaces_the_one_before_it(live, visitors):
    before = {task["taskArn"] for task in live.tasks()}
    definition = live.register("better")
    release = live.deploy(definition)
    assert release["status"] == "SUCCESSFUL"
    assert release["deploymentCircuitBreaker"] == {"status": "MONITORING_COMPLETE", "failureCount": 0, "threshold": 3}
    live.steady()
    after = live.tasks()
    assert {task["taskDefinitionArn"] for task in after} == {definition}
    assert {task["containers"][0]["imageDigest"] for task in after} == {live.image("better").partition("@")[2]}
    stopped = [task for task in live.tasks("STOPPED") if task["taskArn"] in before]
    assert {task["stopCode"] for task in stopped} == {"ServiceSchedulerInitiated"}
    assert {task["containers"][0]["exitCode"] for task in stopped} == {0}  # it obeyed SIGTERM
    until(lambda: visitors.report().seen.get("better"))
    live.deploy(live.register("good"))


def test_an_image_that_exits_at_once_is_rolled_back(live, visitors):
    definition = live.register(live.image("exits", EXIT="3"))
    release = live.deploy(definition)
    assert release["status"] == "ROLLBACK_SUCCESSFUL"
    assert release["statusReason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert release["rollback"]["serviceRevisionArn"] == release["sourceServiceRevisions"][0]["arn"]
    assert release["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    task = live.failed(definition)[0]
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["containers"][0]["exitCode"] == 3
    # One on each stream, which the engine may read in either order.
    assert sorted(live.log(task)) == ["cannot go on", "release exits starts"]
    assert "exits" not in visitors.report().seen


def test_a_site_that_says_it_is_not_ready_is_rolled_back(live, visitors):
    definition = live.register(live.image("sick", HEALTH="500"))
    release = live.deploy(definition)
    assert release["status"] == "ROLLBACK_SUCCESSFUL"
    reason = f"Task failed ELB health checks in (target-group {live.group})"
    failed = live.failed(definition)
    assert {(task["stopCode"], task["stoppedReason"]) for task in failed} == {("ServiceSchedulerInitiated", reason)}
    cause = "due to (reason Health checks failed with these codes: [500])."
    events = [event["message"] for event in live.describe()["events"]]
    assert any(f"is unhealthy in (target-group {live.group}) {cause}" in event for event in events)
    assert "sick" not in visitors.report().seen


def test_a_container_that_fails_its_own_check_is_rolled_back(live, visitors):
    definition = live.register("good", healthCheck={"command": ["CMD", "false"], "interval": 5, "retries": 1})
    assert live.deploy(definition)["status"] == "ROLLBACK_SUCCESSFUL"
    task = live.failed(definition)[0]
    assert task["stoppedReason"] == "Task failed container health checks"
    assert task["healthStatus"] == task["containers"][0]["healthStatus"] == "UNHEALTHY"


def test_a_container_that_passes_its_own_check_is_healthy(live, visitors):
    definition = live.register("good", healthCheck={"command": ["CMD", "true"], "interval": 5})
    assert live.deploy(definition)["status"] == "SUCCESSFUL"
    assert {task["healthStatus"] for task in live.tasks()} == {"HEALTHY"}


def test_a_slow_start_is_waited_for_within_the_grace_period(live, visitors):
    definition = live.register(live.image("slow", BOOT="4"))
    release = live.deploy(definition, healthCheckGracePeriodSeconds=600)
    assert release["status"] == "SUCCESSFUL"
    live.deploy(live.register("good"), healthCheckGracePeriodSeconds=0)


def test_a_start_that_is_slower_than_that_is_a_failure(live, visitors):
    definition = live.register(live.image("slower", BOOT="60"))
    assert live.deploy(definition)["status"] == "ROLLBACK_SUCCESSFUL"
    assert live.failed(definition)[0]["stoppedReason"].startswith("Task failed ELB health checks")


def test_a_site_that_takes_too_much_memory_is_killed_and_rolled_back(live, visitors):
    definition = live.register(live.image("hungry", EAT="40"))
    assert live.deploy(definition)["status"] == "ROLLBACK_SUCCESSFUL"
    container = live.failed(definition)[0]["containers"][0]
    assert container["exitCode"] == 137
    assert container["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_an_image_that_is_not_there_is_rolled_back(live, visitors):
    definition = live.register(f"{live.aws.registry}/site@sha256:{'0' * 64}")
    assert live.deploy(definition)["status"] == "ROLLBACK_SUCCESSFUL"
    task = live.failed(definition)[0]
    assert (task["stopCode"], task["stoppedReason"]) == ("TaskFailedToStart", "Task failed to start")
    reason = task["containers"][0]["reason"]
    assert reason.startswith("CannotPullContainerError: Error response from daemon: manifest unknown")


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("secretsmanager", "secret:site/none-AbCdEf:key::", "can't find the specified secret."),
        ("secretsmanager", "secret:site/database-AbCdEf:other::", "did not contain json key other"),
        ("secretsmanager", "secret:other-AbCdEf", "not authorized to perform: secretsmanager:"),
        ("ssm", "parameter/site/none", "invalid parameters: /site/none"),
    ],
)
def test_a_secret_that_cannot_be_had_is_rolled_back(live, visitors, kind, name, words):
    source = arn_of(kind, name)
    if "database" in name:
        secret = {"Name": "site/database", "SecretString": '{"key": "x"}'}
        source = f"{live.aws('secretsmanager', 'create_secret', **secret)['ARN']}:other::"
    definition = live.register("good", secrets=[{"name": "PASSWORD", "valueFrom": source}])
    assert live.deploy(definition)["status"] == "ROLLBACK_SUCCESSFUL"
    task = live.failed(definition)[0]
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("ResourceInitializationError: unable to pull secrets or registry auth: ")
    assert words in task["stoppedReason"]


def test_a_release_that_is_stopped_goes_back(live, visitors):
    before = live.describe()["deployments"][0]
    arn = live.update(live.register(live.image("slower", BOOT="60")))
    until(lambda: live.release(arn)["status"] == "IN_PROGRESS")
    assert live.aws("ecs", "stop_service_deployment", serviceDeploymentArn=arn)["serviceDeploymentArn"] == arn
    release = live.follow(arn)
    assert release["status"] == "ROLLBACK_SUCCESSFUL"
    live.steady()
    assert live.describe()["deployments"][0]["taskDefinition"] == before["taskDefinition"]


def test_a_newer_release_takes_the_place_of_one_under_way(live, visitors):
    first = live.update(live.register(live.image("slower", BOOT="60")))
    until(lambda: live.release(first)["status"] == "IN_PROGRESS")
    second = live.update(live.register("good"))
    assert live.follow(second)["status"] == "SUCCESSFUL"
    assert live.release(first)["status"] == "STOPPED"
    live.steady()


def test_a_container_that_ignores_sigterm_is_killed_after_its_time(live, visitors):
    deaf = live.register(live.image("deaf", DEAF="1"), stopTimeout=2)
    live.deploy(deaf)
    live.deploy(live.register("good"))
    live.steady()
    ended = [task for task in live.tasks("STOPPED") if task["taskDefinitionArn"] == deaf]
    assert {task["containers"][0]["exitCode"] for task in ended} == {137}


def test_more_tasks_are_not_a_release(live, visitors):
    before = live.describe()["deployments"][0]["id"]
    live.ecs("update_service", service="site", desiredCount=3)
    until(lambda: live.describe()["runningCount"] == 3)
    assert live.describe()["deployments"][0]["id"] == before
    live.ecs("update_service", service="site", desiredCount=2)
    until(lambda: len(live.tasks()) == 2)


def test_an_alarm_undoes_a_release(live, visitors):
    measured = {"Namespace": "n", "MetricName": "m", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1}
    above = {"ComparisonOperator": "GreaterThanThreshold", "Threshold": 1}
    live.aws("cloudwatch", "put_metric_alarm", AlarmName="errors", **measured, **above)
    alarm = {"AlarmName": "errors", "StateReason": "a test"}
    watching = {"alarms": {"alarmNames": ["errors"], "enable": True, "rollback": True}}
    arn = live.update(live.register(live.image("slower", BOOT="60")), deploymentConfiguration=watching)
    live.aws("cloudwatch", "set_alarm_state", **alarm, StateValue="ALARM")
    release = live.follow(arn)
    live.aws("cloudwatch", "set_alarm_state", **alarm, StateValue="OK")
    assert release["status"] == "ROLLBACK_SUCCESSFUL"
    assert release["statusReason"] == "ECS deployment failed: alarm detected."
    assert release["alarms"] == {"status": "TRIGGERED", "alarmNames": ["errors"], "triggeredAlarmNames": ["errors"]}


def test_a_task_that_dies_is_replaced(live):
    task = live.tasks()[0]
    live.ecs("stop_task", task=task["taskArn"], reason="A test")
    until(lambda: task["taskArn"] not in [other["taskArn"] for other in live.tasks()] and len(live.tasks()) == 2)
    live.steady()
    stopped = live.task(task["taskArn"])
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "A test")


def test_targets_show_their_states_as_they_come_and_go(live):
    def states():
        shown = live.aws("elbv2", "describe_target_health", TargetGroupArn=live.group)["TargetHealthDescriptions"]
        return {target["TargetHealth"]["State"] for target in shown}

    until(lambda: states() == {"healthy"})
    arn = live.update(live.register(live.image("slow", BOOT="4")), healthCheckGracePeriodSeconds=600)
    until(lambda: states() == {"healthy", "initial"} or states() == {"healthy", "unhealthy"})
    until(lambda: "draining" in states())
    assert live.follow(arn)["status"] == "SUCCESSFUL"
    live.deploy(live.register("good"), healthCheckGracePeriodSeconds=0)
