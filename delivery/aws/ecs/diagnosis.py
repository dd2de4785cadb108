"""From what AWS says about a failure to its one cause. Nothing is asked here; what is known comes in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from delivery.aws.client import DENIED, EXPIRED, PASSING, THROTTLED, moment
from delivery.aws.ecs import stopped_tasks
from delivery.aws.ecs.stopped_tasks import shown
from delivery.deployment.outcomes import Cause

if TYPE_CHECKING:
    from delivery.aws.client import AwsError, Json

DELIVERY = "ecs/delivery.yml"


@dataclass
class Evidence:
    """What is known of a rollout that did not succeed, each part as AWS's API has it.

    `deployment` is an entry of DescribeServiceDeployments, `service` of DescribeServices, `tasks` are the stopped tasks
    of the new revision (DescribeTasks), `targets` the targets that were seen to be unhealthy, `seen` the present ones
    (both DescribeTargetHealth), `logs` the last lines of the task that failed last, `definition` the new task
    definition.
    """

    deployment: Json = field(default_factory=dict)
    service: Json = field(default_factory=dict)
    tasks: list[Json] = field(default_factory=list)
    targets: list[Json] = field(default_factory=list)
    seen: list[Json] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    definition: Json = field(default_factory=dict)


def of_rollout(evidence: Evidence) -> Cause:
    """Return why a rollout was not completed."""
    alarms = evidence.deployment.get("alarms", {})
    if alarms.get("status") == "TRIGGERED":
        names = alarms.get("triggeredAlarmNames") or alarms.get("alarmNames") or ["an alarm"]
        return Cause(
            "alarm",
            f"{', '.join(names)} went off while the new tasks were taking over.",
            _reasons(evidence) + shown(evidence.logs),
            "what the alarm measures (ecs/service.yml): errors, unfit tasks or slow pages of this release.",
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
    if placing:
        # ECS says this too of a task that was placed, but could not start.
        return stopped_tasks.cause({"stoppedReason": placing, "containers": []}, [], evidence.definition) or _unplaced(
            placing
        )
    throttled = next((message for message in happened if "throttled" in message), None)
    if throttled:
        return Cause(
            "throttled",
            "AWS lets ECS make no more calls for this service for now.",
            (throttled,),
            "nothing: run this again later. If it comes back, something else uses up the account's calls (CloudTrail).",
        )
    health = _health(evidence, happened)
    if health:
        return health
    return Cause(
        "unknown",
        "ECS gave the rollout up, and no task says why.",
        _reasons(evidence) + shown(happened, 5) + shown(evidence.logs),
        "look at the service's events and at the log, which stand above.",
    )


def of_successor(successor: Json) -> Cause:
    """Return why a rollout was ended: a later deployment took its place (an entry of ListServiceDeployments)."""
    return Cause(
        "superseded",
        "Another deployment took this one's place before it was done.",
        (f"{successor['serviceDeploymentArn']} is {successor['status']}",),
        "nothing, if that one was meant: `make status` says what runs. The lease keeps two of `make deploy` apart, "
        "so it came from elsewhere: the console, an update of ecs/service.yml, or a rotation of the database's secret.",
    )


def tells(task: Json) -> bool:
    """Tell whether a stopped task says why it failed, or that it did."""
    return stopped_tasks.cause(task, [], {}) is not None


def of_placement(failures: list[Json]) -> Cause:
    """Return why ECS started no task when asked to run one (RunTask's failures)."""
    reasons = tuple(f"{each.get('arn') or 'the cluster'}: {each.get('reason')}" for each in failures)
    return _unplaced("; ".join(reasons))


def of_migration(task: Json, logs: list[str], definition: Json) -> Cause:
    """Return why the one-off task that prepares the database did not end with 0."""
    cause = stopped_tasks.cause(task, logs, definition)
    if cause and cause.kind != "exits":
        return cause
    code = next((each.get("exitCode") for each in task["containers"]), None)
    return Cause(
        "migration-failed",
        f"Preparing the database ended with exit code {code}."
        if code is not None
        else "Preparing the database was ended.",
        shown(logs) or shown([str(task.get("stoppedReason"))]),
        "the newest migration in src/colophon/database/migrations/versions/. Each one runs as a whole or not at all, "
        "so the release that is running keeps the schema it had.",
    )


def of_error(error: AwsError) -> Cause:
    """Return why a call to AWS failed."""
    said = shown([error.said])
    if error.code == 127:
        return Cause("no-aws", "The aws CLI is not there.", said, "nothing: `make setup FOR=delivery` installs it.")
    if error.killed:
        return Cause("interrupted", f"{error.message}, time and again.", (), "whatever ends programs on this machine.")
    if error.error in EXPIRED or ("token" in error.said.lower() and "expired" in error.said.lower()):
        return Cause(
            "expired-token",
            "The token or the session of whoever deploys has expired.",
            said,
            "in a pipeline, run the job again, for a token is as old as its job; by hand, log in again. A job that "
            f"takes longer than its session needs a longer MaxSessionDuration in {DELIVERY}.",
        )
    if error.operation == "AssumeRoleWithWebIdentity":
        return Cause(
            "token-refused",
            "AWS does not give this pipeline the role it asks for.",
            said,
            "nothing, if this is not the pipeline of the protected master branch: no other may deploy. If it is, the "
            f"project's path, the issuer or the audience in {DELIVERY} is not this GitLab's.",
        )
    if error.error in DENIED or "not authorized to perform" in error.said:
        action = re.search(r"not authorized to perform: ([\w:-]+)", error.said)
        resource = re.search(r"on resource: (\S+)", error.said)
        which = action[1] if action else error.operation or "this"
        return Cause(
            "access-denied",
            f"Whoever deploys may not {which}{f' on {resource[1]}' if resource else ''}.",
            said,
            f"the policy of the deploy role, or of the push role, in {DELIVERY}; or use that role's credentials.",
        )
    if error.error in THROTTLED:
        return Cause(
            "throttled",
            f"AWS takes no more calls of {error.operation or 'this kind'} for now, and did not after several tries.",
            said,
            "nothing: run this again later. If it comes back, something else uses up the account's calls (CloudTrail).",
        )
    if error.error == "NoCredentials":
        return Cause(
            "no-credentials",
            "There are no credentials for AWS.",
            said,
            "by hand, log in (`aws sso login`, `aws configure`); in a pipeline, the job's id_tokens in .gitlab-ci.yml.",
        )
    if error.error in PASSING:
        return Cause(
            "aws-unreachable", "AWS cannot be reached, or is not well.", said, "nothing: run this again later."
        )
    return Cause("aws-error", f"AWS refused {error.operation or 'a call'}: {error.said}")


def _unplaced(said: str) -> Cause:
    if re.search(r"\bports?\b", said, re.IGNORECASE):
        return Cause(
            "port-clash",
            "Every instance already has something on a port that the task wants for itself.",
            (said,),
            "PortMappings in ecs/service.yml: without a HostPort, with NetworkMode awsvpc, no two tasks can clash.",
        )
    return Cause(
        "no-capacity",
        "There is no room in the cluster for one more task.",
        (said,),
        "ecs/cluster.yml: more or larger instances; or Cpu and MemoryReservation in ecs/service.yml.",
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
    text = "\n".join(said)
    lines = shown(said, 3) + shown(evidence.logs)
    codes = re.search(r"with these codes: \[([\d, ]+)\]", text)
    if codes:
        return Cause(
            "health-check-answers",
            f"The new tasks answer the load balancer's health check, /readyz, with {codes[1]} instead of 200.",
            lines,
            "what /readyz complains of (src/colophon/web/health.py), mostly the database or its schema; the log says "
            "more.",
        )
    if "Target.Timeout" in text or "timed out" in text:
        return Cause(
            "health-check-times-out",
            "The new tasks do not answer the load balancer's health check, /readyz, in time.",
            lines,
            "what makes /readyz slow (src/colophon/web/health.py), too few workers (src/gunicorn.conf.py), or the "
            "security groups in ecs/network.yml.",
        )
    if said:
        grace = evidence.service.get("healthCheckGracePeriodSeconds")
        return Cause(
            "slow-boot",
            f"The new tasks were not listening on port {_port(evidence)} "
            f"{f'when their {grace} s of grace were over' if grace else 'in time'}.",
            lines,
            "what the site does before it listens (src/gunicorn.conf.py, src/colophon/__init__.py), or "
            "HealthCheckGracePeriodSeconds in ecs/service.yml.",
        )
    return None


def _port(evidence: Evidence) -> int:
    balancers = evidence.service.get("loadBalancers") or [{}]
    return int(balancers[0].get("containerPort", 8000))


def _reasons(evidence: Evidence) -> tuple[str, ...]:
    rollback = evidence.deployment.get("rollback") or {}
    return tuple(filter(None, dict.fromkeys((evidence.deployment.get("statusReason"), rollback.get("reason")))))
