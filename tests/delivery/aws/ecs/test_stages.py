"""The stages of a deployment, from AWS's answers."""

import pytest

from delivery.aws.ecs import stages
from delivery.deployment.seam import Stage
from tests.conftest import unavailable
from tests.delivery.aws.fake_cli import member_errors, model
from tests.delivery.aws.resources import target

NEW, OLD = "arn:aws:ecs:eu-central-1:111122223333:service-revision/colophon/colophon/2", "old"


def revision(arn, running, pending=0, wanted=2):
    counts = {"requestedTaskCount": wanted, "runningTaskCount": running, "pendingTaskCount": pending}
    return {"arn": arn, **counts}


def deployment(new, old=0, **more):
    return {"targetServiceRevision": revision(NEW, new), "sourceServiceRevisions": [revision(OLD, old)], **more}


def targets(*states):
    return [target(f"10.0.1.{number}", state) for number, state in enumerate(states)]


WAITING = {"taskArn": "a", "lastStatus": "PROVISIONING"}
PLACED = WAITING | {"containerInstanceArn": "arn:aws:ecs:eu-central-1:111122223333:container-instance/colophon/1"}


@pytest.mark.parametrize(
    ("given", "states", "starting", "stage"),
    [
        ({}, (), (), Stage.START),
        (deployment(1, 2), ("healthy",) * 3, (), Stage.START),
        (deployment(1, 2), ("healthy",) * 3, (WAITING,), Stage.CAPACITY),
        (deployment(1, 2), ("healthy",) * 3, (PLACED,), Stage.START),
        (deployment(1, 2), ("healthy",) * 3, (WAITING | {"launchType": "FARGATE"},), Stage.START),
        (deployment(2, 2), ("healthy", "healthy", "healthy", "initial"), (), Stage.HEALTHY),
        (deployment(2, 2), ("healthy", "healthy", "healthy", "unhealthy"), (), Stage.HEALTHY),
        (deployment(2, 1), ("healthy", "healthy", "healthy", "draining"), (), Stage.SHIFT),
        (deployment(2), ("healthy", "healthy", "draining"), (), Stage.SHIFT),
        (deployment(2), ("healthy", "healthy"), (), Stage.BAKE),
        (deployment(2), ("healthy",), (), Stage.HEALTHY),
        (deployment(2), (), (), Stage.HEALTHY),
        (deployment(2, 2, lifecycleStage="POST_TEST_TRAFFIC_SHIFT"), ("healthy",) * 4, (), Stage.TEST),
        (deployment(2, 2, lifecycleStage="BAKE_TIME"), ("healthy",) * 4, (), Stage.BAKE),
        (deployment(1, 2, lifecycleStage="SCALE_UP"), ("healthy",) * 3, (WAITING,), Stage.CAPACITY),
        (deployment(2, 1, rollback={"serviceRevisionArn": OLD}), ("healthy",) * 3, (), Stage.START),
        (deployment(0, 2, rollback={"serviceRevisionArn": OLD}), ("healthy",) * 2, (), Stage.BAKE),
    ],
)
def test_the_stage_is_told_from_the_tasks_and_their_targets_unless_ecs_says_more(given, states, starting, stage):
    assert stages.of(given, targets(*states), list(starting)) is stage


def test_every_stage_of_ecs_that_is_named_is_one():
    if model("ecs") is None:
        unavailable("the aws CLI, whose models say so, is not installed (make setup FOR=delivery)")
    for stage in stages.LIFECYCLE.keys() - {"PRE_PRODUCTION_TRAFFIC_SHIFT"}:  # which the model only describes
        assert stage in model("ecs").shape_for("ServiceDeploymentLifecycleStage").enum
    assert member_errors("ecs", "ServiceDeployment", deployment(2, lifecycleStage="BAKE_TIME")) == ""


@pytest.mark.parametrize(
    "later",
    [
        (deployment(1, 1), targets("healthy", "initial")),
        (deployment(1, 2), targets("healthy", "healthy")),
        (deployment(2, 2), targets("healthy", "initial")),
        (deployment(1, 2) | {"targetServiceRevision": revision(NEW, 1, 1)}, targets("healthy", "initial")),
    ],
)
def test_each_task_that_comes_or_goes_or_is_healthy_counts_as_progress(later):
    assert stages.counts(*later) != stages.counts(deployment(1, 2), targets("healthy", "initial"))
