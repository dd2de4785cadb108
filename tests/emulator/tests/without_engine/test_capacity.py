"""Container instances: placement, and the reasons why a task finds no room."""

from dataclasses import replace

import pytest

from tests.emulator import capacity
from tests.emulator.model import Task, World
from tests.emulator.pace import Pace
from tests.emulator.tests.without_engine.scripted_service import CLUSTER

PORT = {"portMappings": [{"containerPort": 8000, "hostPort": 80}]}


def definition(**changes):
    container = {"name": "site", "cpu": 512, "memoryReservation": 400, **changes.pop("container", {})}
    return {"containerDefinitions": [container], "networkMode": "bridge", **changes}


@pytest.fixture
def world():
    return World(Pace())


def fill(world, fleet, wanted, times, group="service:books", apart_from=""):
    """Place as many tasks, and return the instances that they are on."""
    used = []
    for number in range(times):
        instance = capacity.place(world, CLUSTER, fleet, wanted, apart_from=apart_from)
        task = Task(f"{CLUSTER}/{len(world.tasks)}-{number}", "", "", CLUSTER, wanted, [], group, instance=instance)
        world.tasks[task.arn] = task
        used.append(instance)
    return used


def test_tasks_spread_over_the_instances(world):
    used = fill(world, capacity.Fleet(size=2), definition(), 4)
    assert len({instance.arn for instance in used[:2]}) == 2
    assert len({instance.arn for instance in used}) == 2


@pytest.mark.parametrize(
    ("wanted", "fleet", "room", "short", "words"),
    [
        (definition(), capacity.Fleet(1, 4096, 1000), 2, "RESOURCE:MEMORY", "has insufficient memory available."),
        (definition(), capacity.Fleet(1, 1100, 4000), 2, "RESOURCE:CPU", "has insufficient CPU units available."),
        (definition(networkMode="awsvpc"), capacity.Fleet(1, 9999, 9999), 2, "RESOURCE:ENI", "RESOURCE:ENI"),
        (definition(container=PORT), capacity.Fleet(1, 9999, 9999), 1, "RESOURCE:PORTS", "is already using a port"),
    ],
)
def test_the_resource_that_runs_out_is_named(world, wanted, fleet, room, short, words):
    fill(world, fleet, wanted, room)
    with pytest.raises(capacity.PlacementError) as full:
        fill(world, fleet, wanted, 1)
    assert full.value.short == short
    assert words in str(full.value)
    assert str(full.value).startswith("The closest matching (container-instance ")


def test_a_task_that_has_stopped_takes_no_room(world):
    fleet = capacity.Fleet(1, 600, 4000)
    fill(world, fleet, definition(), 1)
    next(iter(world.tasks.values())).reach("STOPPED")
    assert fill(world, fleet, definition(), 1)


def test_tasks_with_distinct_instances_are_kept_apart(world):
    fill(world, capacity.Fleet(2), definition(), 2, apart_from="service:books")
    with pytest.raises(capacity.PlacementError, match="DistinctInstance"):
        fill(world, capacity.Fleet(2), definition(), 1, apart_from="service:books")


def test_a_cluster_without_instances_says_so(world):
    with pytest.raises(capacity.PlacementError, match="No Container Instances were found in your cluster"):
        fill(world, capacity.Fleet(0), definition(), 1)


def test_a_cluster_that_grew_has_the_new_instance_too(world):
    before = capacity.instances(world, CLUSTER, capacity.Fleet(1))[0]
    assert capacity.instances(world, CLUSTER, capacity.Fleet(3))[0] is before
    assert len(world.instances[CLUSTER]) == 3


def test_an_instance_that_has_not_joined_yet_has_no_room(world):
    fleet = capacity.Fleet(1, 600, 4000)
    fill(world, fleet, definition(), 1)
    grown = replace(fleet, size=2)
    with pytest.raises(capacity.PlacementError):
        fill(world, grown, definition(), 1)
    first, second = world.instances[CLUSTER]
    second.joins = first.joins
    assert fill(world, grown, definition(), 1) == [second]


def test_memory_of_the_task_goes_before_that_of_its_containers():
    assert capacity.needs(definition(cpu="256", memory="512")) == (256, 512)


def test_file_systems_in_memory_count_beside_what_a_container_reserves():
    linux = {"sharedMemorySize": 128, "tmpfs": [{"containerPath": "/own", "size": 8}]}
    assert capacity.needs(definition(container={"linuxParameters": linux})) == (512, 400 + 128 + 8)
    assert capacity.needs(definition()) == (512, 400)


def test_an_instances_type_says_what_it_offers():
    cpu, memory = capacity.offer("t3.small")
    assert cpu == 2048
    assert 1800 < memory < 2048
    assert capacity.offer("who.knows") == capacity.offer("t3.medium")
