"""Tasks of their own, such as migrations: their environment, their limits, and their end."""

import json

import pytest

from tests.emulator import CallError, docker, until

REPORT = """
import json, os, urllib.request
uri = os.environ["ECS_CONTAINER_METADATA_URI_V4"]
own, task = (json.load(urllib.request.urlopen(uri + path)) for path in ("", "/task"))
print(json.dumps({"own": own, "task": task, "environment": dict(os.environ)}))
"""
SAME = {"serviceName": "site", "taskDefinition": "site"}
BOUNDS = """
import json, os, pathlib
def may(path):
    try: pathlib.Path(path).write_text("x")
    except OSError: return False
    return True
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
capabilities = int(status["CapBnd"], 16)
print(json.dumps({"user": os.getuid(), "disk": may("/var/tmp/x"), "own": may("/own/x"), "capabilities": capabilities}))
"""


def report(service, definition, script, **override):
    """Return what a script, run as a task, prints as JSON; and the task."""
    task = service.run(definition, command=["python3", "-c", script], **override)
    assert task["containers"][0]["exitCode"] == 0, service.log(task)
    (line,) = until(lambda: service.log(task))
    return json.loads(line), task


def test_a_task_runs_to_its_end(service):
    task = service.run(service.register("good"), command=["python3", "-c", "print('done')"])
    assert task["lastStatus"] == task["desiredStatus"] == "STOPPED"
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["containers"][0]["exitCode"] == 0
    assert task["group"] == "family:site"
    assert task["createdAt"] <= task["pullStartedAt"] <= task["startedAt"] <= task["stoppedAt"]
    assert until(lambda: service.log(task)) == ["done"]


def test_a_task_that_fails_says_how(service):
    task = service.run(service.register("good"), command=["python3", "-c", "raise SystemExit('no such column')"])
    assert task["containers"][0]["exitCode"] == 1
    assert until(lambda: service.log(task)) == ["no such column"]


def test_a_task_gets_its_environment_its_secrets_and_the_additions_of_its_run(service):
    arn = service.aws("secretsmanager", "create_secret", Name="site/two", SecretString='{"password": "s3cret"}')["ARN"]
    service.aws("ssm", "put_parameter", Name="/site/greeting", Value="hello", Type="String")
    environment = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    sources = {"PASSWORD": f"{arn}:password::", "WHOLE": arn, "GREETING": "/site/greeting"}
    secrets = [{"name": name, "valueFrom": source} for name, source in sources.items()]
    definition = service.register("good", environment=environment, secrets=secrets)
    found, _ = report(service, definition, REPORT, environment=[{"name": "B", "value": "3"}])
    own = {name: found["environment"][name] for name in ("A", "B", "PASSWORD", "WHOLE", "GREETING")}
    assert own == {"A": "1", "B": "3", "PASSWORD": "s3cret", "WHOLE": '{"password": "s3cret"}', "GREETING": "hello"}


def test_a_task_can_read_its_own_metadata(service):
    definition = service.register("good")
    found, task = report(service, definition, REPORT)
    assert found["own"]["Image"] == service.image("good")
    assert found["own"]["Labels"]["com.amazonaws.ecs.task-arn"] == task["taskArn"]
    assert found["task"]["TaskARN"] == task["taskArn"]
    assert f"{found['task']['Family']}:{found['task']['Revision']}" == definition.rpartition("/")[2]
    assert found["task"]["AvailabilityZone"] == "eu-central-1a"
    assert found["task"]["LaunchType"] == "EC2"


def test_a_container_is_held_to_its_definition(service):
    own = {"containerPath": "/own", "size": 8, "mountOptions": ["mode=1777"]}
    linux = {"capabilities": {"drop": ["ALL"]}, "tmpfs": [own]}
    definition = service.register("good", user="10001", readonlyRootFilesystem=True, linuxParameters=linux)
    found, _ = report(service, definition, BOUNDS)
    assert found == {"user": 10001, "disk": False, "own": True, "capabilities": 0}


def test_without_such_a_definition_a_container_has_more_rights(service):
    found, _ = report(service, service.register("good"), BOUNDS)
    assert found["user"] == 0
    assert found["disk"]
    assert found["capabilities"]


def test_a_container_has_no_more_memory_than_it_is_given(service):
    task = service.run(service.register("good"), command=["python3", "-c", "print(len(bytearray(10**9)))"])
    assert task["containers"][0]["exitCode"] == 137
    assert task["containers"][0]["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_a_task_shows_the_digest_that_was_pulled(service):
    _, task = report(service, service.register("good"), REPORT)
    assert task["containers"][0]["imageDigest"] == service.image("good").partition("@")[2]


def test_a_log_group_that_is_missing_keeps_a_container_from_starting(service):
    options = {"awslogs-group": "/site/none", "awslogs-region": "eu-central-1", "awslogs-stream-prefix": "x"}
    task = service.run(service.register("good", logConfiguration={"logDriver": "awslogs", "options": options}))
    assert task["stopCode"] == "TaskFailedToStart"
    reason = task["containers"][0]["reason"]
    assert reason.startswith("CannotStartContainerError: ")
    assert reason.endswith("ResourceNotFoundException: The specified log group does not exist.")


def test_a_program_that_is_missing_keeps_a_container_from_starting(service):
    task = service.run(service.register("good"), command=["nonsense"])
    assert task["containers"][0]["reason"].startswith("CannotStartContainerError: Error response from daemon: ")


def test_a_container_with_a_feature_that_is_not_imitated_does_not_start(service):
    task = service.run(service.register("good", mountPoints=[{"sourceVolume": "data", "containerPath": "/data"}]))
    assert task["containers"][0]["reason"].endswith("the emulator does not imitate mountPoints")


def test_a_role_that_may_not_pull_gets_no_image(service):
    role = service.aws("iam", "create_role", RoleName="powerless", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    task = service.run(service.register("good", task={"executionRoleArn": role}))
    assert "not authorized to perform: ecr:GetAuthorizationToken" in task["stoppedReason"]


def test_a_task_can_be_stopped(service):
    arn = service.ecs("run_task", taskDefinition=service.register("good"))["tasks"][0]["taskArn"]
    until(lambda: service.task(arn)["lastStatus"] == "RUNNING")
    stopped = service.ecs("stop_task", task=arn, reason="Enough")["task"]
    assert stopped["desiredStatus"] == "STOPPED"
    shown = until(lambda: task if (task := service.task(arn))["lastStatus"] == "STOPPED" else None)
    assert (shown["stopCode"], shown["stoppedReason"]) == ("UserInitiated", "Enough")
    assert arn in [task["taskArn"] for task in service.tasks("STOPPED")]


def test_a_task_that_fits_nowhere_is_refused_with_the_reason(service):
    answer = service.ecs("run_task", taskDefinition=service.register("good", memory=60000))
    assert answer["tasks"] == []
    assert [failure["reason"] for failure in answer["failures"]] == ["RESOURCE:MEMORY"]


def test_instances_show_their_remaining_memory(service):
    def left():
        shown = service.ecs("describe_container_instances", containerInstances=arns)
        assert not shown["failures"]
        resources = [each for instance in shown["containerInstances"] for each in instance["remainingResources"]]
        return sum(each["integerValue"] for each in resources if each["name"] == "MEMORY")

    service.steady()
    arns = service.ecs("list_container_instances")["containerInstanceArns"]
    until(lambda: left() == 2 * 3850 - 2 * 64)
    service.ecs("run_task", taskDefinition=service.register("good", memory=100))
    assert left() == 2 * 3850 - 2 * 64 - 100
    clusters = service.aws("ecs", "describe_clusters", clusters=["site"])["clusters"]
    assert clusters[0]["registeredContainerInstancesCount"] == 2


def test_a_port_of_the_host_can_be_had_once_on_each_instance(service):
    port = {"containerPort": 8000, "hostPort": 80}
    definition = service.register("good", portMappings=[port], task={"networkMode": "bridge"})
    answer = service.ecs("run_task", taskDefinition=definition, count=3)
    assert [failure["reason"] for failure in answer["failures"]] == ["RESOURCE:PORTS"]
    for task in answer["tasks"]:
        service.ecs("stop_task", task=task["taskArn"])


def test_a_container_without_a_limit_of_memory_is_refused(service):
    with pytest.raises(CallError, match="At least one of 'memory' or 'memoryReservation' must be specified"):
        service.aws("ecs", "register_task_definition", family="x", containerDefinitions=[{"name": "a", "image": "b"}])


@pytest.mark.parametrize(
    ("operation", "arguments", "code"),
    [
        ("describe_services", {"cluster": "none", "services": ["site"]}, "ClusterNotFoundException"),
        ("update_service", {"cluster": "site", "service": "none"}, "ServiceNotFoundException"),
        ("run_task", {"cluster": "site", "taskDefinition": "none"}, "ClientException"),
        ("stop_task", {"cluster": "site", "task": "none"}, "InvalidParameterException"),
        ("stop_service_deployment", {"serviceDeploymentArn": "none"}, "ServiceDeploymentNotFoundException"),
        ("create_service", {"cluster": "site", **SAME}, "InvalidParameterException"),
    ],
)
def test_a_wrong_name_is_refused_by_its_error(service, operation, arguments, code):
    with pytest.raises(CallError) as refused:
        service.aws("ecs", operation, **arguments)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("operation", "arguments", "part"),
    [
        ("describe_services", {"cluster": "site", "services": ["none"]}, "services"),
        ("describe_tasks", {"cluster": "site", "tasks": ["none"]}, "tasks"),
        ("describe_service_deployments", {"serviceDeploymentArns": ["none"]}, "serviceDeployments"),
        ("describe_service_revisions", {"serviceRevisionArns": ["none"]}, "serviceRevisions"),
        ("describe_container_instances", {"cluster": "site", "containerInstances": ["none"]}, "containerInstances"),
    ],
)
def test_an_unknown_name_is_described_as_missing(service, operation, arguments, part):
    answer = service.aws("ecs", operation, **arguments)
    assert answer[part] == []
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]


def test_the_command_line_shows_all_of_it(service):
    def ecs(command):
        return service.aws.cli(f"ecs {command}")

    deployment = ecs("describe-services --cluster=site --services=site")["services"][0]["deployments"][0]
    assert deployment.keys() >= {"id", "status", "rolloutState", "rolloutStateReason", "failedTasks", "createdAt"}
    *_, first = ecs("list-service-deployments --cluster=site --service=site")["serviceDeployments"]
    arn = first["serviceDeploymentArn"]
    whole = ecs(f"describe-service-deployments --service-deployment-arns={arn}")["serviceDeployments"][0]
    revision = whole["targetServiceRevision"]["arn"]
    revisions = ecs(f"describe-service-revisions --service-revision-arns={revision}")["serviceRevisions"]
    assert revisions[0]["containerImages"][0]["image"] == service.image("good")
    (task, *_) = ecs("list-tasks --cluster=site --service-name=site")["taskArns"]
    assert ecs(f"describe-tasks --cluster=site --tasks={task}")["tasks"][0]["containers"][0]["lastStatus"] == "RUNNING"
    assert ecs("wait services-stable --cluster=site --services=site") == ""
    with pytest.raises(CallError, match="ConflictException"):
        ecs(f"stop-service-deployment --service-deployment-arn={arn}")


def test_no_container_is_left_of_a_task_that_has_stopped(service):
    task = service.run(service.register("good"), command=["true"])
    assert task["taskArn"].rpartition("/")[2][:12] not in docker("ps --all --format={{.Names}}")
