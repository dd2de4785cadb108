"""The one cause of a failure, from the evidence. Pure functions: they make no calls."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from delivery.aws.client import moment
from delivery.aws.ecs import stages, stopped_tasks, task_definition
from delivery.aws.errors import shown
from delivery.deployment.outcomes import Cause

if TYPE_CHECKING:
    from delivery.deployment.seam import Json


@dataclass
class Evidence:
    """The evidence on a rollout, each part as AWS's API has it.

    `deployment` is an entry of DescribeServiceDeployments, `service` of DescribeServices, `tasks` are the stopped tasks
    of the new revision and `starting` those that do not run yet (both DescribeTasks), `targets` the targets that were
    seen to be unhealthy, `seen` the present ones (both DescribeTargetHealth), `logs` the last lines of each container
    of the task that failed last, `definition` the new task definition.
    """

    deployment: Json = field(default_factory=dict)
    service: Json = field(default_factory=dict)
    tasks: list[Json] = field(default_factory=list)
    starting: list[Json] = field(default_factory=list)
    targets: list[Json] = field(default_factory=list)
    seen: list[Json] = field(default_factory=list)
    logs: stopped_tasks.Logs = field(default_factory=dict)
    definition: Json = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Return how the rollout stands: a line for the whole, and one for each task definition that has tasks."""
        targets = Counter(each["TargetHealth"]["State"] for each in self.seen)
        states = ", ".join(f"{count} {state}" for state, count in sorted(targets.items())) or "none"
        found = [f"{self.deployment.get('status', 'PENDING')}, targets: {states}"]
        for each in self.service.get("deployments", []):
            name = task_definition.revision(each["taskDefinition"])
            found.append(
                f"{name}: {each['runningCount']} of {each['desiredCount']} running, {each['pendingCount']} pending, "
                f"{each.get('failedTasks', 0)} failed"
            )
        if waiting := sum(map(stages.waits_for_instance, self.starting)):
            wanted = self.deployment.get("targetServiceRevision", {}).get("requestedTaskCount", waiting)
            found.append(f"waiting for an instance ({waiting} of {wanted} tasks)")
        return found


def of_rollout(evidence: Evidence) -> Cause:
    """Return why a rollout was not completed."""
    alarms = evidence.deployment.get("alarms", {})
    if alarms.get("status") == "TRIGGERED":
        names = alarms.get("triggeredAlarmNames") or alarms.get("alarmNames") or ["an alarm"]
        return Cause(
            "alarm",
            f"{', '.join(names)} fired during the rollout.",
            _reasons(evidence) + stopped_tasks.log(evidence.logs),
            "check what the alarm measures (ecs/service.yml): errors, unfit tasks or slow pages of this release.",
        )
    happened = _since_start(evidence)
    found = [stopped_tasks.cause(task, evidence.logs, evidence.definition) for task in evidence.tasks]
    known = [cause for cause in found if cause]
    if known:
        # The one that most tasks died of; of several, the one that most says why.
        kinds = [cause.kind for cause in known]
        return _with_health(
            max(known, key=lambda cause: (kinds.count(cause.kind), -stopped_tasks.RANK.index(cause.kind))),
            evidence,
            happened,
        )
    placing = next((message for message in happened if "unable to place a task" in message), None)
    waiting = next(filter(None, map(of_waiting, evidence.starting)), None)
    if waiting and not placing:
        return waiting
    if placing:
        # ECS says this too of a task that was placed, but could not start.
        return stopped_tasks.cause({"stoppedReason": placing, "containers": []}, {}, evidence.definition) or _unplaced(
            placing
        )
    throttled = next((message for message in happened if "throttled" in message), None)
    if throttled:
        return Cause(
            "throttled",
            "AWS throttles the calls that ECS makes for this service.",
            (throttled,),
            "run this again later. If it comes back, something else uses up the account's calls (CloudTrail).",
        )
    health = _health(evidence, happened)
    if health:
        return health
    return Cause(
        "unknown",
        "ECS gave up on the rollout, and no task says why.",
        _reasons(evidence) + shown(happened, 5) + stopped_tasks.log(evidence.logs),
        "read the service's events and the log above.",
    )


def of_successor(successor: Json) -> Cause:
    """Return why a rollout was ended: a later deployment took its place (an entry of ListServiceDeployments)."""
    return Cause(
        "superseded",
        "Another deployment replaced this one before it was done.",
        (f"{successor['serviceDeploymentArn']} is {successor['status']}",),
        "none, if that one was meant: `make status` shows what runs. The lock keeps two of `make deploy` apart, "
        "so it came from elsewhere: the console, or an update of ecs/service.yml.",
    )


def tells(task: Json) -> bool:
    """Tell whether a stopped task says why it failed, or that it did."""
    return stopped_tasks.cause(task, {}, {}) is not None


def of_placement(failures: list[Json]) -> Cause:
    """Return why ECS started no task (RunTask's failures)."""
    reasons = tuple(f"{each.get('arn') or 'the cluster'}: {each.get('reason')}" for each in failures)
    return _unplaced("; ".join(reasons))


def of_waiting(task: Json) -> Cause | None:
    """Return why a task has not started yet: it waits for an instance or for a network interface. None for neither."""
    said = (f"{task['taskArn']} is {task['lastStatus']}",)
    if stages.waits_for_instance(task):
        return Cause(
            "no-instance",
            "No instance has room for the task, and none with room has joined the cluster.",
            said,
            "check the activity of the Auto Scaling group, and the most instances that ecs/cluster.yml allows; an "
            "instance that starts but does not join the cluster has the reason in /var/log/cloud-init-output.log.",
        )
    if stages.waits_for_interface(task):
        return stopped_tasks.of_interface(said)
    return None


def of_slow_migration(task: Json, logs: list[str], seconds: float) -> Cause:
    """Return why the one-off task that prepares the database had not ended in time, by what it was doing then."""
    waiting = of_waiting(task)
    if waiting:
        return replace(waiting, sentence=f"The migration had not begun after {seconds:.0f} s. {waiting.sentence}")
    if task["lastStatus"] in stages.STARTING:
        return Cause(
            "cannot-start",
            f"The migration had not begun after {seconds:.0f} s: its task was still {task['lastStatus']}.",
            shown(logs),
            "check the way to the registry, in ecs/network.yml, and the size of the image.",
        )
    return Cause(
        "migration-slow",
        f"Preparing the database was not done after {seconds:.0f} s, and was ended.",
        shown(logs),
        "check the newest migration in src/colophon/database/migrations/versions/, or raise "
        "DELIVERY_MIGRATION_TIMEOUT; a lock that the running site holds can be the reason too.",
    )


def of_migration(task: Json, container: str, lines: list[str], definition: Json) -> Cause:
    """Return why the one-off task whose container prepares the database did not end with 0."""
    cause = stopped_tasks.cause(task, {container: lines}, definition)
    if cause and (cause.kind != "exits" or stopped_tasks.failed(task, definition).get("name") not in (None, container)):
        return cause
    code = next((each.get("exitCode") for each in task["containers"] if each["name"] == container), None)
    return Cause(
        "migration-failed",
        f"Preparing the database ended with exit code {code}."
        if code is not None
        else "The task that prepares the database was stopped.",
        shown(lines) or shown([str(task.get("stoppedReason"))]),
        "check the newest migration in src/colophon/database/migrations/versions/. Each one runs as a whole or not at "
        "all, so the release that is running keeps the schema it had.",
    )


def _unplaced(said: str) -> Cause:
    if "RESOURCE:ENI" in said:
        return stopped_tasks.of_interface((said,))
    if re.search(r"\bports?\b", said, re.IGNORECASE):
        return Cause(
            "port-clash",
            "On every instance, a port that the task needs is already in use.",
            (said,),
            "check PortMappings in ecs/service.yml: with NetworkMode awsvpc and no HostPort, no two tasks can clash.",
        )
    return Cause(
        "no-capacity",
        "There is no room in the cluster for one more task.",
        (said,),
        "check ecs/cluster.yml: more or larger instances; or Cpu and MemoryReservation in ecs/service.yml.",
    )


def _since_start(evidence: Evidence) -> list[str]:
    """Return the service's events since the deployment began, the newest first."""
    began = evidence.deployment.get("createdAt")
    return [
        each["message"]
        for each in evidence.service.get("events", [])
        if began is None or moment(each["createdAt"]) >= moment(began)
    ]


def _with_health(cause: Cause, evidence: Evidence, happened: list[str]) -> Cause:
    """Return a better word for a task that failed its health checks: what the checks were answered."""
    if cause.kind != "health":
        return cause
    return _health(evidence, happened) or cause


def _health(evidence: Evidence, happened: list[str]) -> Cause | None:
    """Return what the health checks were answered, None when nothing is known of that."""
    said = [
        f"{each['Target']['Id']}:{each['Target'].get('Port', '')} {each['TargetHealth']['State']}, "
        f"{each['TargetHealth'].get('Reason', '')}: {each['TargetHealth'].get('Description', '')}"
        for each in evidence.targets
        if each["TargetHealth"]["State"].startswith("unhealthy")
    ]
    said += [message for message in happened if "is unhealthy in" in message or "health checks" in message]
    text, shortly = "\n".join(said), shown(said, 3)
    balancers = evidence.service.get("loadBalancers", [])
    front = [each["containerName"] for each in balancers]  # the others are behind it
    codes = re.search(r"with these codes: \[([\d, ]+)\]", text)
    if codes:
        return Cause(
            "health-check-answers",
            f"The new tasks answer the load balancer's health check, /readyz, with {codes[1]} instead of 200.",
            shortly + stopped_tasks.log(evidence.logs, [name for name in evidence.logs if name not in front]),
            "check what /readyz reports (src/colophon/web/health.py), mostly the database or its schema, see the log; "
            "after a 502 or 504, why the site does not answer the edge.",
        )
    if "Target.Timeout" in text or "timed out" in text:
        return Cause(
            "health-check-times-out",
            "The new tasks do not answer the load balancer's health check, /readyz, in time.",
            shortly + stopped_tasks.log(evidence.logs),
            "check what makes /readyz slow (src/colophon/web/health.py), too few workers (src/gunicorn.conf.py), or "
            "the security groups in ecs/network.yml.",
        )
    if said:
        grace = evidence.service.get("healthCheckGracePeriodSeconds")
        ports = ", ".join(str(each["containerPort"]) for each in balancers)
        return Cause(
            "slow-boot",
            f"The new tasks were not listening on port {ports} "
            f"{f'when their {grace} s of grace were over' if grace else 'in time'}.",
            shortly + stopped_tasks.log(evidence.logs, front),
            f"check what the container {', '.join(front)} does before it listens (of the site: src/gunicorn.conf.py, "
            "src/colophon/__init__.py), or HealthCheckGracePeriodSeconds in ecs/service.yml.",
        )
    return None


def _reasons(evidence: Evidence) -> tuple[str, ...]:
    rollback = evidence.deployment.get("rollback") or {}
    return tuple(filter(None, dict.fromkeys((evidence.deployment.get("statusReason"), rollback.get("reason")))))
