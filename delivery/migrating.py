"""Migrations, as a task of their own: of the very revision that is to be rolled out, before any task of it serves."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from . import diagnosis, stoppedtasks, tasklog
from .aws import AwsError
from .cancellation import Cancelled
from .outcomes import Cause, Ended, Outcome
from .taskdefinition import CONTAINER

if TYPE_CHECKING:
    from .aws import Json
    from .situation import Place

# It migrates the database, and fills an empty one with the catalogue.
COMMAND = ["python3", "-m", "colophon", "prepare"]


def migrate(place: Place, service: Json, definition: Json) -> Json:
    """Prepare the database with a task of this definition, showing its log, and return its ARN and exit code.

    Raises Ended when it does not end with 0 in time, and Cancelled once its task is stopped.
    """
    task = _start(place, service, definition)
    log = tasklog.Log(place, definition, task)
    try:
        task = _follow(place, task, log, place.settings.migration)
    except Cancelled:
        _stop(place, task, log)
        raise
    if task["lastStatus"] != "STOPPED":
        _stop(place, task, log)
        raise Ended(
            Outcome.MIGRATION_FAILED,
            Cause(
                "migration-slow",
                f"Preparing the database was not done after {place.settings.migration:.0f} s, and was ended.",
                stoppedtasks.shown(log.lines),
                "the newest migration in src/colophon/migrations/versions/, or DELIVERY_MIGRATION_TIMEOUT; a lock that "
                "the running site holds can be the reason too.",
            ),
        )
    code = next((each.get("exitCode") for each in task["containers"] if each["name"] == CONTAINER), None)
    if code != 0:
        raise Ended(Outcome.MIGRATION_FAILED, diagnosis.of_migration(task, log.lines, definition))
    return {"task": task["taskArn"], "exit_code": code}


def _start(place: Place, service: Json, definition: Json) -> Json:
    overrides = {"containerOverrides": [{"name": CONTAINER, "command": COMMAND}]}
    where = {
        "networkConfiguration": service.get("networkConfiguration"),
        "capacityProviderStrategy": service.get("capacityProviderStrategy"),
        "launchType": service.get("launchType") if not service.get("capacityProviderStrategy") else None,
        "platformVersion": service.get("platformVersion"),
        "placementConstraints": service.get("placementConstraints"),
        "placementStrategy": service.get("placementStrategy"),
    }
    request = {
        "cluster": place.names.project,
        "taskDefinition": definition["taskDefinitionArn"],
        "overrides": overrides,
        "clientToken": uuid.uuid4().hex,  # for a call that is made twice as its answer was lost
        "startedBy": f"prepare-{datetime.now(UTC):%Y%m%dT%H%M%S}",
        **{key: value for key, value in where.items() if value},
    }
    started = place.aws.request("ecs", "run-task", request, place.folder / "run-task.json")
    if not started["tasks"]:
        raise Ended(Outcome.MIGRATION_FAILED, diagnosis.of_placement(started["failures"]))
    task: Json = started["tasks"][0]
    return task


def _follow(place: Place, task: Json, log: tasklog.Log, seconds: float, *, heed: bool = True) -> Json:
    for _ in place.waiting.looks(seconds, heed=heed):
        try:
            found = place.aws.call(
                "ecs", "describe-tasks", "--cluster", place.names.project, "--tasks", task["taskArn"]
            )["tasks"]  # fmt: skip
            task = found[0] if found else task
            for line in log.news():
                click.echo(f"  | {line}")
        except AwsError as error:
            if not error.may_pass:
                raise
        if task["lastStatus"] == "STOPPED":
            break
    return task


def _stop(place: Place, task: Json, log: tasklog.Log) -> None:
    place.aws.call(
        "ecs", "stop-task", "--cluster", place.names.project, "--task", task["taskArn"],
        "--reason", "The deployment was cancelled, or out of time",
    )  # fmt: skip
    _follow(place, task, log, place.settings.migration, heed=False)
