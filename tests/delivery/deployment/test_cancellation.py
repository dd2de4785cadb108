"""A deployment cancelled at any moment, by Ctrl-C or SIGTERM, leaves the service whole and the lock free."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from delivery.deployment.cancellation import Cancellation, Cancelled
from delivery.deployment.lock import KEY
from delivery.deployment.outcomes import Outcome
from tests.delivery.aws.resources import NAME

BEFORE = [
    ("s3api", "get-object"),
    ("s3api", "put-object"),
    ("ecs", "describe-clusters"),
    ("ecr", "describe-image-scan-findings"),
    ("ecr", "put-image"),
    ("ecs", "register-task-definition"),
    ("ecs", "run-task"),
    ("ecs", "describe-tasks"),
]
DURING = [("ecs", "update-service"), ("ecs", "list-service-deployments"), ("ecs", "describe-service-deployments")]
AFTER = [("ecs", "list-tasks"), ("ssm", "put-parameter")]


def signalling(number):
    """Return a hook that sends this process a signal."""
    return lambda: os.kill(os.getpid(), number)


def is_whole(aws, commit):
    image = aws.image_of(aws.running_definition).partition("@")[2]
    return (
        commit in aws.images[image]["tags"]
        and aws.service_definition == aws.running_definition
        and (KEY not in aws.objects or aws.lock["holder"] is None)
    )


@pytest.mark.parametrize("call", BEFORE, ids=" ".join)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_before_the_update_nothing_is_changed(deploy, aws, commits, call, number):
    aws.at(*call, signalling(number))
    result = deploy()
    assert result.exit_code == Outcome.CANCELLED.code
    assert "ecs update-service" not in aws.operations
    assert is_whole(aws, commits.old)
    assert "before the service was changed" in result.output


@pytest.mark.parametrize("call", DURING, ids=" ".join)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_during_the_rollout_it_is_undone_and_followed_to_the_end_of_that(deploy, aws, commits, call, number):
    aws.scripts = [["IN_PROGRESS"]]
    # The preflight lists the deployments too, before the update.
    aws.at(*call, *([lambda: None] if call[1].startswith("list") else []), signalling(number))
    result = deploy()
    assert result.exit_code == Outcome.CANCELLED.code
    assert aws.deployments[0]["status"] == "ROLLBACK_SUCCESSFUL"
    assert is_whole(aws, commits.old)
    assert aws.receipts[0]["outcome"] == "cancelled"
    assert aws.receipts[0]["deployment"] == aws.deployments[0]["serviceDeploymentArn"]


@pytest.mark.parametrize("call", AFTER, ids=" ".join)
def test_once_it_is_rolled_out_it_is_proven_rather_than_undone(deploy, aws, commits, call):
    aws.scripts = [["SUCCESSFUL"]]
    aws.at(*call, signalling(signal.SIGTERM))
    result = deploy()
    assert result.exit_code == 0
    assert is_whole(aws, commits.new)
    assert aws.receipts[0]["proven"]


def test_a_second_signal_does_not_break_the_undoing(deploy, aws, commits):
    aws.scripts = [["IN_PROGRESS"]]
    aws.at("ecs", "describe-service-deployments", *[signalling(signal.SIGINT)] * 4)
    aws.at("ecs", "stop-service-deployment", signalling(signal.SIGTERM))
    result = deploy()
    assert result.exit_code == Outcome.CANCELLED.code
    assert is_whole(aws, commits.old)
    assert aws.operations.count("ecs stop-service-deployment") == 1


def test_a_first_release_that_is_cancelled_leaves_nothing_running(deploy, aws, first):
    aws.scripts = [["IN_PROGRESS"], ["SUCCESSFUL"]]
    aws.at("ecs", "describe-service-deployments", signalling(signal.SIGTERM))
    result = deploy()
    assert result.exit_code == Outcome.CANCELLED.code
    assert aws.desired == 0
    assert "ecs stop-service-deployment" not in aws.operations
    assert aws.parameters[f"/{NAME}/released-image"] == "none"
    assert aws.lock["holder"] is None


def test_a_migration_that_is_cancelled_is_ended_first(deploy, aws, commits):
    aws.migration = {}  # it goes on until it is stopped
    aws.at("ecs", "describe-tasks", lambda: None, signalling(signal.SIGTERM))
    result = deploy()
    assert result.exit_code == Outcome.CANCELLED.code
    assert "ecs stop-task" in aws.operations
    assert all(task["lastStatus"] == "STOPPED" for task in aws.one_off.values())


def test_waiting_for_the_lock_can_be_cancelled(deploy, aws, commits):
    aws.hold_lock("another job", seconds=3600)
    aws.at("s3api", "get-object", lambda: None, signalling(signal.SIGTERM))
    result = deploy("--wait", "3600")
    assert result.exit_code == Outcome.CANCELLED.code
    assert aws.lock["holder"] == "another job"


@pytest.mark.parametrize("command", ["status", "plan", "preflight", "history", "rollback"])
def test_what_changes_nothing_yet_ends_at_once(deliver, aws, commits, command):
    aws.at("sts", "get-caller-identity", signalling(signal.SIGTERM))
    result = deliver(command)
    assert result.exit_code == Outcome.CANCELLED.code
    assert len(aws.operations) == 1


def test_ctrl_c_at_a_terminal_does_not_reach_the_calls_to_aws(aws, commits, root, processes):
    """A terminal signals every program that runs in it. A call that is cut off may or may not have reached AWS."""
    aws.scripts = [["IN_PROGRESS"]]
    started = subprocess.Popen(
        [sys.executable, "-m", "delivery", "deploy", "--root", root],
        cwd=Path(__file__).parents[3],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    aws.at("ecs", "update-service", lambda: os.killpg(started.pid, signal.SIGINT))
    output, _ = started.communicate(timeout=120)
    assert started.returncode == Outcome.CANCELLED.code, output
    assert "Ctrl-C: stopping at the next safe point." in output
    assert is_whole(aws, commits.old)


def test_a_signal_is_heeded_once():
    with Cancellation() as cancellation:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Cancelled, match="SIGTERM"):
            cancellation.check()
        os.kill(os.getpid(), signal.SIGTERM)
        cancellation.check()


def test_what_was_to_happen_on_a_signal_before_happens_again_after():
    before = signal.getsignal(signal.SIGTERM)
    with Cancellation():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
