"""The faults of AWS itself: each does what it is named for, and no more."""

import subprocess
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.emulator import CallError, until
from tests.emulator.interface import PROGRAMS, ROOT

# A read of each protocol: JSON, two kinds of XML, EC2's, S3's, CBOR.
READS = (
    ("ecs", "list_clusters"),
    ("iam", "list_users"),
    ("cloudformation", "list_stacks"),
    ("ec2", "describe_vpcs"),
    ("s3", "list_buckets"),
    ("cloudwatch", "describe_alarms"),
)


def code(aws, service, operation, **arguments):
    """Return the code of a call's error, "" for none."""
    try:
        aws(service, operation, **arguments)
    except CallError as error:
        return error.code
    return ""


def test_every_third_call_is_throttled_in_the_words_of_its_protocol(aws):
    aws.behave("throttled")
    codes = [code(aws, *call) for call in READS for _ in range(3)]
    assert codes[0::3] == codes[1::3] == [""] * len(READS)
    throttled = ["ThrottlingException", "Throttling", "Throttling", "RequestLimitExceeded", "SlowDown"]
    assert codes[2::3] == [*throttled, "ThrottlingException"]


@pytest.mark.parametrize("call", READS, ids=[service for service, _ in READS])
def test_the_first_call_of_each_operation_fails(aws, call):
    aws.behave("error")
    assert code(aws, *call) in ("ServerException", "InternalFailure", "InternalError")
    assert code(aws, *call) == ""


def test_a_connection_that_drops_leaves_its_call_carried_out(aws):
    aws.behave("dropped")
    assert code(aws, "ecs", "create_cluster", clusterName="dropped") == "ConnectionClosedError"
    assert code(aws, "ecs", "list_clusters") == ""  # what only looks is answered
    assert "dropped" in str(aws("ecs", "list_clusters")["clusterArns"])
    assert code(aws, "ecs", "create_cluster", clusterName="second") == ""


def test_the_aws_command_makes_a_call_again_whose_answer_was_lost(aws, register):
    aws.behave("dropped")
    container = '{"name": "site", "image": "site", "memory": 64}'
    made = aws.cli("ecs register-task-definition --family=twice", f"--container-definitions={container}")
    assert made["taskDefinition"]["revision"] == 2


def test_a_slow_call_outlasts_the_patience_of_a_second(aws):
    command = "sts get-caller-identity --cli-read-timeout=1"
    aws.cli(command)
    aws.behave("slow")
    aws.environment["AWS_MAX_ATTEMPTS"] = "1"
    try:
        with pytest.raises(CallError, match="Read timeout"):
            aws.cli(command)
    finally:
        del aws.environment["AWS_MAX_ATTEMPTS"]


def test_a_clock_that_is_ahead_finds_signatures_expired(aws):
    aws.behave("clock")
    with pytest.raises(CallError, match=r"Signature expired: \w+ is now earlier than \w+ \(\w+ - 5 min\.\)"):
        aws("sts", "get_caller_identity")
    assert code(aws, "ecs", "list_clusters") == "InvalidSignatureException"
    assert code(aws, "s3", "list_buckets") == ""  # S3 takes a quarter of an hour
    with urllib.request.urlopen(f"{aws.url}/_emulator") as answer:
        ahead = parsedate_to_datetime(answer.headers["Date"]) - datetime.now(UTC)
    assert timedelta(minutes=9) < ahead < timedelta(minutes=11)


def test_a_parameter_keeps_its_value_for_a_while_after_it_was_changed(aws):
    value = lambda: aws("ssm", "get_parameter", Name="/late")["Parameter"]["Value"]  # noqa: E731
    aws("ssm", "put_parameter", Name="/late", Value="before", Type="String")
    aws.behave("late")
    aws("ssm", "put_parameter", Name="/late", Value="after", Type="String", Overwrite=True)
    assert value() == "before"
    until(lambda: value() == "after")


def test_a_parameter_is_not_there_for_a_while_after_it_was_made(aws):
    aws.behave("late")
    aws("ssm", "put_parameter", Name="/new", Value="x", Type="String")
    assert code(aws, "ssm", "get_parameter", Name="/new") == "ParameterNotFound"
    until(lambda: code(aws, "ssm", "get_parameter", Name="/new") == "")


def test_a_task_definition_cannot_be_run_at_once_and_its_task_shows_later(aws, register):
    aws.behave("late")
    run = {"cluster": "site", "taskDefinition": register("late")}
    with pytest.raises(CallError, match=r"TaskDefinition not found\."):
        aws("ecs", "run_task", **run)
    task = until(lambda: not code(aws, "ecs", "run_task", **run) and aws("ecs", "run_task", **run)["tasks"][0])
    shown = aws("ecs", "describe_tasks", cluster="site", tasks=[task["taskArn"]])
    assert shown["failures"] == [{"arn": task["taskArn"], "reason": "MISSING"}]
    until(lambda: aws("ecs", "describe_tasks", cluster="site", tasks=[task["taskArn"]])["tasks"])


def test_an_image_is_not_there_for_a_while_after_it_was_pushed(aws, push):
    aws.behave("late")
    push("a late image", "late")
    described = {"repositoryName": "site", "imageIds": [{"imageTag": "late"}]}
    assert code(aws, "ecr", "describe_images", **described) == "ImageNotFoundException"
    until(lambda: code(aws, "ecr", "describe_images", **described) == "")


def test_faults_combine(aws):
    aws.behave("throttled", "error")
    assert [code(aws, "ecs", "list_clusters") for _ in range(3)] == ["ServerException", "", "ThrottlingException"]


def test_an_unknown_fault_is_refused_by_the_interface_and_by_the_command(aws):
    with pytest.raises(urllib.error.HTTPError, match="400"):
        aws.behave("clumsy")
    command = [PROGRAMS / "python", "-m", "tests.emulator", "--scripted", "--awkward", "clumsy"]
    done = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == ("There is no fault 'clumsy': throttled, late, paged, error, dropped, slow, clock.\n")
