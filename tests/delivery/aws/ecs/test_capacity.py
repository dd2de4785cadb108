"""Room in the cluster: CPU, memory, and network interfaces."""

from pathlib import Path

import pytest

from delivery.aws.client import Aws
from delivery.aws.context import Context
from delivery.aws.ecs import capacity
from delivery.aws.names import Names
from delivery.deployment.cancellation import Cancellation, Poller
from delivery.settings import Settings
from tests.delivery.aws.resources import ACCOUNT, NAME, REGION, definition, instance

OLD = definition("arn:aws:ecs:eu-central-1:111122223333:task-definition/colophon:7", 7, "repository@sha256:old")


def context():
    names, poller = Names(NAME, ACCOUNT, REGION), Poller(0, Cancellation())
    return Context(Aws({}), names, Settings(), Path(), poller, "a test")


@pytest.mark.parametrize(
    ("more", "tasks"),
    [
        ({}, 1),
        ({"pendingTasksCount": 1}, 0),
        ({"attributes": [{"name": capacity.TYPE, "value": "t3.small"}, {"name": capacity.TRUNK, "value": "1"}]}, 4),
        ({"attributes": []}, 4),
    ],
)
def test_a_network_interface_is_counted_for_each_task_but_on_a_trunk(aws, more, tasks):
    aws.instances = [instance(2048, 4096, tasks=1) | more]
    assert capacity.room(context(), {}, OLD | {"networkMode": "awsvpc"}).tasks == tasks
    assert capacity.room(context(), {}, OLD | {"networkMode": "bridge"}).tasks == 4


def test_instances_with_and_without_a_trunk_stand_side_by_side(aws):
    plain = instance(2048, 4096, tasks=1)
    trunk = plain | {"attributes": [*plain["attributes"], {"name": capacity.TRUNK, "value": "1"}]}
    aws.instances = [plain, trunk]
    assert capacity.room(context(), {}, OLD | {"networkMode": "awsvpc"}).tasks == 1 + 4
