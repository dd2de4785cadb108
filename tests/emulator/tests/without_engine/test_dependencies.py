"""The order of a task's containers: when each may start, when it never will, and which stop before it."""

import time

import pytest

from tests.emulator import dependencies
from tests.emulator.model import Container, Task


def task(*definitions):
    containers = [Container(definition, definition["name"]) for definition in definitions]
    return Task("arn", "1", "r", "cluster", {}, containers, "group")


def pair(condition, **other):
    """Return a task whose edge depends on its site, the edge and the site."""
    site = {"name": "site", **other}
    made = task({"name": "edge", "dependsOn": [{"containerName": "site", "condition": condition}]}, site)
    return made, *made.containers


def became(site, status, *, health="UNKNOWN", exit_code=None, seconds=0.0):
    """Have a container be what it is after so many seconds."""
    site.status, site.health, site.exit_code, site.started = status, health, exit_code, time.time() - seconds


@pytest.mark.parametrize(
    ("condition", "state", "may"),
    [
        ("START", {"status": "RUNNING"}, True),
        ("HEALTHY", {"status": "RUNNING"}, False),
        ("HEALTHY", {"status": "RUNNING", "health": "UNHEALTHY"}, False),
        ("HEALTHY", {"status": "RUNNING", "health": "HEALTHY"}, True),
        ("COMPLETE", {"status": "RUNNING"}, False),
        ("COMPLETE", {"status": "STOPPED", "exit_code": 3}, True),
        ("SUCCESS", {"status": "RUNNING"}, False),
        ("SUCCESS", {"status": "STOPPED", "exit_code": 0}, True),
    ],
)
def test_a_container_starts_when_what_it_depends_on_is_as_the_condition_says(condition, state, may):
    made, edge, site = pair(condition)
    assert not dependencies.resolved(made, edge)
    became(site, **state)
    assert dependencies.resolved(made, edge) is may


@pytest.mark.parametrize(
    ("condition", "state", "words"),
    [
        ("SUCCESS", {"status": "STOPPED", "exit_code": 1}, "as dependency did not exit successfully"),
        ("START", {"status": "STOPPED", "exit_code": 1}, "because dependency will never start"),
        ("HEALTHY", {"status": "RUNNING", "seconds": 21}, "has timed out"),
        ("COMPLETE", {"status": "RUNNING", "seconds": 21}, "has timed out"),
    ],
)
def test_a_container_never_starts_when_the_condition_can_no_longer_be_met(condition, state, words):
    made, edge, site = pair(condition, startTimeout=20)
    became(site, **state)
    with pytest.raises(dependencies.NeverError, match=words):
        dependencies.resolved(made, edge)


def test_without_a_start_timeout_it_is_waited_for():
    made, edge, site = pair("HEALTHY")
    became(site, "RUNNING", seconds=1e6)
    assert not dependencies.resolved(made, edge)


def test_the_order_of_the_start_is_reversed_at_the_stop():
    made, edge, site = pair("START")
    assert dependencies.dependents(made, site) == [edge]
    assert dependencies.dependents(made, edge) == []


def depends(name, on, condition="START", **more):
    return {"name": name, "dependsOn": [{"containerName": on, "condition": condition}], **more}


@pytest.mark.parametrize(
    ("containers", "words"),
    [
        ([{"name": "site"}, depends("edge", "site")], ""),
        ([{"name": "site", "essential": False}, depends("edge", "site", "SUCCESS")], ""),
        ([depends("edge", "site")], "Cannot depend on container + 'site' because it does not exist"),
        (
            [{"name": "site"}, depends("edge", "site", "COMPLETE")],
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
        ),
        (
            [depends("site", "edge"), depends("edge", "site"), {"name": "other"}],
            "The dependencies of the containers edge, site form a cycle.",
        ),
    ],
)
def test_dependencies_that_cannot_be_kept_are_not_registered(containers, words):
    assert dependencies.refusal(containers) == words
