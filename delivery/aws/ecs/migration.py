"""Migrations, as a task of their own: of the very image that is to be rolled out, before any task of it serves."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import click

from delivery.aws.ecs import diagnosis, service, stages, task_definition, task_log
from delivery.aws.errors import AwsError
from delivery.deployment.outcomes import Ended, Outcome
from delivery.terminal.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from delivery.aws.context import Context
    from delivery.deployment.seam import Json

STARTED = "a task was started that prepares the database"
POLLS = 3  # after the first, for a task that may have been started


def migrate(context: Context, service: Json, definition: Json) -> Json:
    """Prepare the database with a task of this definition, showing its log, and return its ARN and exit code.

    Raises Ended when it does not end with 0 in time, which begins when it has an instance. Whatever else ends this,
    Cancelled for one, ends the task first.
    """
    task, seconds = _start(context, service, definition), context.settings.migration
    (container,) = task_definition.images(definition, context.names.project)  # as the preflight checked
    log = task_log.Log(context, definition, task, container)
    try:
        if stages.waits_for_instance(task):
            click.echo("  waiting for an instance (1 of 1 tasks)")
            task = _follow(context, task, log, context.settings.capacity, until=_is_placed)
        if _is_placed(task):
            task = _follow(context, task, log, seconds)
        else:
            seconds = context.settings.capacity
    except Exception:
        _stop(context, task, log)
        raise
    if task["lastStatus"] != "STOPPED":
        _stop(context, task, log)
        raise Ended(Outcome.MIGRATION_FAILED, diagnosis.of_slow_migration(task, log.lines, seconds))
    code = next((each.get("exitCode") for each in task["containers"] if each["name"] == container), None)
    if code != 0:
        raise Ended(Outcome.MIGRATION_FAILED, diagnosis.of_migration(task, container, log.lines, definition))
    context.aws.settle("the database was prepared", made=True)
    return {"task": task["taskArn"], "exit_code": code}


def _start(context: Context, service: Json, definition: Json) -> Json:
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
        "cluster": context.names.project,
        "taskDefinition": definition["taskDefinitionArn"],
        "clientToken": token,  # for a call that is made twice, as its answer was lost
        "startedBy": f"prepare-{token}",
        **{key: value for key, value in where.items() if value},
    }

    def run() -> Json:
        if context.poller.cancellation.requested and STARTED in context.aws.changes:
            found = _carried_out(context, request["startedBy"])
            if found:
                return found
            context.poller.cancellation.check()
        return context.aws.request("ecs", "run-task", request, context.folder / "run-task.json", change=STARTED)

    # ECS may not know a revision yet that it registered a moment ago (RunTask's documentation, "eventual consistency").
    started = context.poller.until_answered(run, repeat=lambda error: "TaskDefinition not found" in str(error.message))
    if not started["tasks"]:
        raise Ended(Outcome.MIGRATION_FAILED, diagnosis.of_placement(started["failures"]))
    task: Json = started["tasks"][0]
    return task


def _carried_out(context: Context, started_by: str) -> Json | None:
    """Return what a call answered whose answer was lost, None when it was not heard.

    Now that no task is wanted, making the call again could start one.
    """
    for _ in context.poller.polls(POLLS * context.poller.interval, cancellable=False):
        for status in ("RUNNING", "STOPPED"):
            tasks = service.tasks(context, status, started_by=started_by)
            if tasks:
                context.aws.settle(STARTED, made=True)
                return {"tasks": tasks}
    context.aws.settle(STARTED, made=False)
    return None


def _is_stopped(task: Json) -> bool:
    return bool(task["lastStatus"] == "STOPPED")


def _is_placed(task: Json) -> bool:
    return not stages.waits_for_instance(task)


def _follow(
    context: Context,
    task: Json,
    log: task_log.Log,
    seconds: float,
    *,
    until: Callable[[Json], bool] = _is_stopped,
    cancellable: bool = True,
) -> Json:
    for _ in context.poller.polls(seconds, cancellable=cancellable):
        try:
            found = context.aws.call(
                "ecs", "describe-tasks", "--cluster", context.names.project, "--tasks", task["taskArn"]
            )["tasks"]
            task = found[0] if found else task
            for line in log.news():
                click.echo(plain(f"  | {line}"))
        except AwsError as error:
            if error.lasts:
                raise
        if until(task):
            break
    return task


def _stop(context: Context, task: Json, log: task_log.Log) -> None:
    """End a task and follow it to its end. That it cannot be ended is said, for something else has ended already."""
    try:
        context.poller.until_answered(
            lambda: context.aws.call(
                "ecs",
                "stop-task",
                "--cluster",
                context.names.project,
                "--task",
                task["taskArn"],
                "--reason",
                "The deployment was cancelled, or out of time",
                change="that task was stopped",
            )
        )
        _follow(context, task, log, context.settings.migration, cancellable=False)
    except AwsError as error:
        said = f"{task['taskArn']}, which prepares the database, could not be stopped: {error.said}"
        click.secho(plain(said), fg="yellow", err=True)
