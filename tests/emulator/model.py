"""ECS's own records: services, their deployments, and tasks. Hold the world's lock to read or to write them."""

from __future__ import annotations

import itertools
import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .pace import Pace

Json = dict[str, Any]

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
STARTING = ("PROVISIONING", "PENDING", "ACTIVATING")
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
ONGOING = ("PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")

_numbers = itertools.count(random.randrange(10**17, 10**18))  # noqa: S311 -- a name, no secret


def number() -> str:
    """Return a new number, such as ECS gives deployments and revisions."""
    return f"{next(_numbers)}"


def identifier() -> str:
    """Return 32 new hex digits, such as ECS gives tasks."""
    return uuid.uuid4().hex


@dataclass
class Instance:
    """A machine that tasks are placed on. It is made up: its tasks all run in this machine's one engine."""

    arn: str
    ec2_id: str
    cpu: int
    memory: int
    kind: str = ""
    joins: float = 0.0  # the time at which it joins its cluster


@dataclass
class Container:
    """A container of a task; `definition` is its entry in the task definition."""

    definition: Json
    arn: str
    docker_id: str | None = None
    status: str = "PENDING"
    started: float = 0.0  # the time at which it was
    health: str = "UNKNOWN"
    exit_code: int | None = None
    reason: str | None = None
    digest: str | None = None
    image_id: str | None = None
    address: str | None = None
    ports: dict[int, int] = field(default_factory=dict)  # published on the loopback address, by the container's own

    @property
    def name(self) -> str:
        return str(self.definition["name"])

    @property
    def essential(self) -> bool:
        return bool(self.definition.get("essential", True))


@dataclass
class Task:
    """A task. The thread that runs it changes its state; other threads may only request its stop."""

    arn: str
    account: str
    region: str
    cluster_arn: str
    definition: Json
    containers: list[Container]
    group: str
    started_by: str = ""
    deployment: Deployment | None = None
    instance: Instance | None = None
    launch_type: str | None = "EC2"
    capacity_provider: str | None = None
    network: Json = field(default_factory=dict)
    pause: str = ""  # the Docker ID of the container that holds its network namespace, in awsvpc mode
    overrides: Json = field(default_factory=dict)
    tags: list[Json] = field(default_factory=list)
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    stop_code: str = ""
    stopped_reason: str = ""
    healthy: bool = False  # as the scheduler of its service sees it
    times: dict[str, float] = field(default_factory=lambda: {"createdAt": time.time()})
    stop_requested: threading.Event = field(default_factory=threading.Event)

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    @property
    def cluster(self) -> str:
        return self.cluster_arn.rsplit("/", 1)[-1]

    @property
    def wanted(self) -> bool:
        return self.desired_status == "RUNNING"

    @property
    def health(self) -> str:
        """UNHEALTHY if an essential container is, else UNKNOWN if one with a check is not healthy yet."""
        states = [c.health for c in self.containers if c.essential and c.definition.get("healthCheck")]
        worst = (state for state in ("UNHEALTHY", "UNKNOWN") if state in states)
        return next(worst, "HEALTHY" if states else "UNKNOWN")

    def reach(self, status: str, moment: str | None = None) -> None:
        self.last_status = status
        if moment:
            self.times.setdefault(moment, time.time())

    def stop(self, reason: str, code: str) -> None:
        """Request the task's stop; the first reason stays."""
        if self.wanted:
            self.desired_status, self.stopped_reason, self.stop_code = "STOPPED", reason, code
            self.times.setdefault("stoppingAt", time.time())
            self.stop_requested.set()


@dataclass
class Release:
    """A service deployment in the API's sense: the history of one change, its rollback included."""

    arn: str
    target_revision: str
    source_revisions: list[str]
    configuration: Json
    status: str = "PENDING"
    reason: str | None = None
    failures: int = 0
    threshold: int = 3
    rollback: Json | None = None
    alarms: list[str] = field(default_factory=list)  # those that ended it
    watches: bool = False  # the service's alarms
    baking: float | None = None  # since when
    times: dict[str, float] = field(default_factory=lambda: {"createdAt": time.time()})

    @property
    def ongoing(self) -> bool:
        return self.status in ONGOING

    def reach(self, status: str, reason: str | None = None, moment: str | None = None) -> None:
        self.status = status
        self.reason = reason or self.reason
        self.times["updatedAt"] = time.time()
        if moment:
            self.times.setdefault(moment, time.time())


@dataclass
class Deployment:
    """One entry of a service's `deployments`: a task definition, and how far its rollout is."""

    id: str
    task_definition: str
    revision: str
    release: Release
    status: str = "PRIMARY"
    state: str = "IN_PROGRESS"
    reason: str = ""
    failed_tasks: int = 0
    not_before: float = 0.0  # the time before which no task is tried again
    created: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)

    def reach(self, state: str, reason: str) -> None:
        self.state, self.reason, self.updated = state, reason, time.time()


@dataclass
class Service:
    """A service. `settings` holds the arguments of CreateService and UpdateService, by the API's names."""

    arn: str
    account: str
    region: str
    cluster_arn: str
    settings: Json
    desired: int
    status: str = "ACTIVE"
    deployments: list[Deployment] = field(default_factory=list)
    completed: Deployment | None = None  # the last one that completed; a rollback goes there
    releases: list[Release] = field(default_factory=list)
    revisions: dict[str, Json] = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)
    created: float = field(default_factory=time.time)
    steady: bool = False

    @property
    def name(self) -> str:
        return str(self.settings["serviceName"])

    @property
    def cluster(self) -> str:
        return self.cluster_arn.rsplit("/", 1)[-1]

    @property
    def primary(self) -> Deployment:
        return self.deployments[0]

    @property
    def load_balancers(self) -> list[Json]:
        return [entry for entry in self.settings.get("loadBalancers") or [] if entry.get("targetGroupArn")]

    @property
    def configuration(self) -> Json:
        return self.settings.get("deploymentConfiguration") or {}

    @property
    def breaker(self) -> Json:
        return self.configuration.get("deploymentCircuitBreaker") or {}

    def say(self, message: str) -> None:
        """Add a service event, newest first, unless it repeats the last one."""
        message = f"(service {self.name}) {message}"
        if not self.events or self.events[0]["message"] != message:
            self.events.insert(0, {"id": str(uuid.uuid4()), "createdAt": time.time(), "message": message})
            del self.events[100:]


@dataclass
class World:
    """All services and tasks. Hold the lock to read or to change them; do nothing slow while holding it."""

    pace: Pace
    lock: threading.RLock = field(default_factory=threading.RLock)
    services: dict[str, Service] = field(default_factory=dict)  # by ARN
    tasks: dict[str, Task] = field(default_factory=dict)  # by ARN
    instances: dict[str, list[Instance]] = field(default_factory=dict)  # by the cluster's ARN

    def service_of(self, task: Task) -> Service | None:
        """Return the service that a task belongs to, None for a task of its own."""
        services = (each for each in self.services.values() if each.cluster_arn == task.cluster_arn)
        return next((each for each in services if task.group == f"service:{each.name}"), None)

    def tasks_of(self, service: Service) -> list[Task]:
        """Return a service's tasks that have not stopped."""
        tasks = [task for task in self.tasks.values() if task.cluster_arn == service.cluster_arn]
        return [task for task in tasks if task.group == f"service:{service.name}" and task.last_status != "STOPPED"]
