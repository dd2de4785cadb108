"""Migrations, as a task of their own: of the very revision that is to be rolled out, before any task of it serves."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import click

from delivery.aws.client import AwsError
from delivery.aws.ecs import diagnosis, stopped_tasks, task_log
from delivery.aws.ecs import service as situation
from delivery.aws.ecs.task_definition import CONTAINER
from delivery.deployment.outcomes import Cause, Ended, Outcome

if TYPE_CHECKING:
    from delivery.aws.client import Json
    from delivery.aws.ecs.service import Place

# It migrates the database, and fills an empty one with the catalogue.
COMMAND = ["python3", "-m", "colophon", "prepare"]
STARTED = "a task was started that prepares the database"
LOOKS = 3  # after the first, for a task that may have been started


def migrate(place: Place, service: Json, definition: Json) -> Json:
    """Prepare the database with a task of this definition, showing its log, and return its ARN and exit code.

    Raises Ended when it does not end with 0 in time. Whatever else ends this, Cancelled for one, ends the task first.
    """
    task = _start(place, service, definition)
    log = task_log.Log(place, definition, task)
    try:
        task = _follow(place, task, log, place.settings.migration)
    except Exception:
        _stop(place, task, log)
        raise
    if task["lastStatus"] != "STOPPED":
        _stop(place, task, log)
        raise Ended(
            Outcome.MIGRATION_FAILED,
            Cause(
                "migration-slow",
                f"Preparing the database was not done after {place.settings.migration:.0f} s, and was ended.",
                stopped_tasks.shown(log.lines),
                "the newest migration in src/colophon/database/migrations/versions/, or DELIVERY_MIGRATION_TIMEOUT; a "
                "lock that the running site holds can be the reason too.",
            ),
        )
    code = next((each.get("exitCode") for each in task["containers"] if each["name"] == CONTAINER), None)
    if code != 0:
        raise Ended(Outcome.MIGRATION_FAILED, diagnosis.of_migration(task, log.lines, definition))
    place.aws.found_out("the database was prepared", made=True)
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
    token = uuid.uuid4().hex
    request = {
        "cluster": place.names.project,
        "taskDefinition": definition["taskDefinitionArn"],
        "overrides": overrides,
        "clientToken": token,  # for a call that is made twice, as its answer was lost
        "startedBy": f"prepare-{token}",
        **{key: value for key, value in where.items() if value},
    }

    def run() -> Json:
        if place.waiting.cancellation.asked and STARTED in place.aws.changes:
            heard = _heard(place, request["startedBy"])
            if heard:
                return heard
            place.waiting.cancellation.check()
        return place.aws.request("ecs", "run-task", request, place.folder / "run-task.json", change=STARTED)

    # ECS may not know a revision yet that it registered a moment ago (RunTask's documentation, "eventual consistency").
    started = place.waiting.until_answered(run, repeat=lambda error: "TaskDefinition not found" in error.said)
    if not started["tasks"]:
        raise Ended(Outcome.MIGRATION_FAILED, diagnosis.of_placement(started["failures"]))
    task: Json = started["tasks"][0]
    return task


def _heard(place: Place, started_by: str) -> Json | None:
    """Return what a call answered whose answer was lost, None when it was not heard.

    Now that no task is wanted, making the call again could start one.
    """
    for _ in place.waiting.looks(LOOKS * place.waiting.poll, heed=False):
        for status in ("RUNNING", "STOPPED"):
            tasks = situation.tasks(place, status, started_by=started_by)
            if tasks:
                place.aws.found_out(STARTED, made=True)
                return {"tasks": tasks}
    place.aws.found_out(STARTED, made=False)
    return None


def _follow(place: Place, task: Json, log: task_log.Log, seconds: float, *, heed: bool = True) -> Json:
    for _ in place.waiting.looks(seconds, heed=heed):
        try:
            found = place.aws.call(
                "ecs", "describe-tasks", "--cluster", place.names.project, "--tasks", task["taskArn"]
            )["tasks"]
            task = found[0] if found else task
            for line in log.news():
                click.echo(f"  | {line}")
        except AwsError as error:
            if error.lasts:
                raise
        if task["lastStatus"] == "STOPPED":
            break
    return task


def _stop(place: Place, task: Json, log: task_log.Log) -> None:
    """End a task and follow it to its end. That it cannot be ended is said, for something else has ended already."""
    try:
        place.waiting.until_answered(
            lambda: place.aws.call(
                "ecs",
                "stop-task",
                "--cluster",
                place.names.project,
                "--task",
                task["taskArn"],
                "--reason",
                "The deployment was cancelled, or out of time",
                change="that task was stopped",
            )
        )
        _follow(place, task, log, place.settings.migration, heed=False)
    except AwsError as error:
        click.secho(
            f"{task['taskArn']}, which prepares the database, could not be ended: {error.said}", fg="yellow", err=True
        )
