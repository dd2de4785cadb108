"""The service scheduler: a thread that looks at each service ten times a second and carries out `rollout.plan`."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from . import rollout
from .capacity import PlacementError
from .model import Deployment, Release, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from .model import Json, Service, Task, World

log = logging.getLogger("emulator.scheduler")

TICK = 0.1
BACKOFF = 1.0  # seconds after a failed task, times the failures so far, up to 4


class Scheduler:
    """Starts and stops the tasks of services, completes deployments, and rolls the failed ones back.

    `launch(service, deployment)` places a task and starts its thread (raises PlacementError); `target_states(service,
    task)` gives the state of each of a task's targets; `alarmed(service)` names the alarms that a service watches and
    that are in ALARM; `bake(service)` gives the seconds that its alarms need to see something.
    """

    def __init__(
        self,
        world: World,
        launch: Callable[[Service, Deployment], Task],
        target_states: Callable[[Service, Task], list[Any]],
        alarmed: Callable[[Service], list[str]],
        bake: Callable[[Service], float],
    ) -> None:
        self.world = world
        self._launch = launch
        self._target_states = target_states
        self._alarmed = alarmed
        self._bake = bake
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Stop looking at services, so that removed tasks are not replaced."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(TICK):
            with self.world.lock:
                for service in list(self.world.services.values()):
                    try:
                        self.look(service)
                    except Exception:
                        log.exception("looking at service %s failed", service.name)

    def look(self, service: Service) -> None:
        """Check a service once, and act. The caller holds the world's lock."""
        tasks = self.world.tasks_of(service)
        for task in tasks:
            self._check(service, task)
        if service.status == "ACTIVE":
            self._decide(service)
        planned = rollout.plan(service, tasks) if service.status == "ACTIVE" else rollout.Plan(stop=tasks)
        for task in planned.stop:
            owner = task.deployment.id if task.deployment else "-"
            task.stop(f"Scaling activity initiated by (deployment {owner})", "ServiceSchedulerInitiated")
        self._start(service, planned.start)
        tasks = self.world.tasks_of(service)
        if service.status == "DRAINING" and not tasks:
            service.status = "INACTIVE"
        elif service.status == "ACTIVE":
            self._complete(service, tasks)

    # -- health

    def _check(self, service: Service, task: Task) -> None:
        """Update a task's health, and stop a task that fails its checks."""
        was = task.healthy
        states = self._target_states(service, task)
        served = all(state is not None and state.name == "healthy" for state in states)
        contained = task.health == "HEALTHY" or not any(c.definition.get("healthCheck") for c in task.containers)
        task.healthy = task.wanted and task.last_status == "RUNNING" and served and contained
        if task.healthy and not was and task.deployment:
            if service.breaker.get("resetOnHealthyTask", True):
                task.deployment.failed_tasks = 0
            task.deployment.updated = time.time()
        if not task.wanted or task.last_status != "RUNNING":
            return
        if task.health == "UNHEALTHY":
            service.say(f"(task {task.id}) failed container health checks.")
            task.stop("Task failed container health checks", "ServiceSchedulerInitiated")
            return
        grace = self.world.pace.grace(float(service.settings.get("healthCheckGracePeriodSeconds") or 0))
        if time.time() - task.times["startedAt"] < grace:
            return
        for state in states:
            if state is not None and state.name == "unhealthy":
                group = state.group
                instance = f" (instance {task.instance.ec2_id})" if task.instance else ""
                cause = f"(target-group {group}) due to (reason {state.description})"
                service.say(f"(task {task.id}){instance} (port {state.port}) is unhealthy in {cause}.")
                task.stop(f"Task failed ELB health checks in (target-group {group})", "ServiceSchedulerInitiated")
                return

    def ended(self, task: Task) -> None:
        """Count a stopped task as a failure if its `stop_code` says so. The caller holds the lock."""
        service = self.world.service_of(task)
        if service is None or service.status != "ACTIVE":
            return
        codes = ("EssentialContainerExited", "TaskFailedToStart")
        failed = task.stop_code in codes or task.stopped_reason.startswith("Task failed")
        if task.stop_code == "TaskFailedToStart":
            why = next((c.reason for c in task.containers if c.reason), task.stopped_reason)
            service.say(f"was unable to place a task. Reason: {why}.")
        else:
            service.say(f"has stopped 1 running tasks: (task {task.id}).")
        deployment = task.deployment
        if failed and deployment is service.primary:
            deployment.not_before = time.time() + BACKOFF * min(deployment.failed_tasks + 1, 4)
            if deployment.state == "IN_PROGRESS":
                deployment.failed_tasks += 1
                deployment.release.failures = deployment.failed_tasks
                deployment.updated = time.time()

    # -- deployments

    def _start(self, service: Service, count: int) -> None:
        deployment = service.primary
        if time.time() < deployment.not_before:
            return
        for _ in range(count):
            try:
                task = self._launch(service, deployment)
            except PlacementError as full:
                cause = "no container instance met all of its requirements"
                service.say(f"was unable to place a task because {cause}. {full}")
                return
            service.steady = False
            service.say(f"has started 1 tasks: (task {task.id}).")
            if deployment.release.status == "PENDING":
                deployment.release.reach("IN_PROGRESS", moment="startedAt")

    def _decide(self, service: Service) -> None:
        """Fail the newest deployment after too many failures, an alarm, or a request to roll back."""
        deployment, release = service.primary, service.primary.release
        if deployment.state != "IN_PROGRESS":
            return
        if release.status == "ROLLBACK_REQUESTED":
            self._fail(service, "ECS deployment stopped: rollback was requested.", roll_back=True)
            return
        breaker, alarms = service.breaker, service.configuration.get("alarms") or {}
        release.threshold = rollout.threshold(breaker, service.desired)
        if breaker.get("enable") and deployment.failed_tasks >= release.threshold:
            reason = "ECS deployment circuit breaker: tasks failed to start."
            self._fail(service, reason, roll_back=bool(breaker.get("rollback")))
        elif release.watches and not release.rollback and (gone_off := self._alarmed(service)):
            release.alarms = gone_off
            self._fail(service, "ECS deployment failed: alarm detected.", roll_back=bool(alarms.get("rollback")))

    def _fail(self, service: Service, reason: str, *, roll_back: bool) -> None:
        failed, release = service.primary, service.primary.release
        rolling_back = release.rollback is not None
        failed.reach("FAILED", reason)
        cause = reason.removeprefix("ECS deployment circuit breaker: ")
        service.say(f"(deployment {failed.id}) deployment failed: {cause}")
        target = service.completed
        if rolling_back:
            release.reach("ROLLBACK_FAILED", reason, "finishedAt")
        elif not roll_back:
            release.reach("STOPPED", reason, "stoppedAt")
        elif target is None or target is failed:
            reason = f"{reason} There is no completed deployment to roll back to."
            release.reach("ROLLBACK_FAILED", reason, "finishedAt")
        else:
            failed.status = "ACTIVE"
            if target in service.deployments:
                service.deployments.remove(target)
            service.deployments.insert(0, target)
            target.status, target.failed_tasks, target.not_before = "PRIMARY", 0, 0.0
            origin = "ECS deployment circuit breaker" if "circuit breaker" in reason else "ECS deployment"
            target.reach("IN_PROGRESS", f"{origin}: rolling back to deploymentId {target.id}.")
            target.release = release
            service.settings["taskDefinition"] = target.task_definition
            release.rollback = {"reason": reason, "startedAt": time.time(), "serviceRevisionArn": target.revision}
            release.reach("ROLLBACK_IN_PROGRESS", reason)
            service.say(f"rolling back to deployment {target.id}.")

    def _complete(self, service: Service, tasks: list[Task]) -> None:
        deployment, release = service.primary, service.primary.release
        remaining = {id(task.deployment) for task in tasks}
        finished = deployment.state == "IN_PROGRESS" and rollout.finished(service, tasks)
        if finished and rollout.baked(service, self.world.pace.bake(self._bake(service)), time.time()):
            deployment.reach("COMPLETED", f"ECS deployment {deployment.id} completed.")
            deployment.failed_tasks = 0
            service.completed = deployment
            release.reach("ROLLBACK_SUCCESSFUL" if release.rollback else "SUCCESSFUL", moment="finishedAt")
            service.say(f"(deployment {deployment.id}) deployment completed.")
        if deployment.state == "COMPLETED":
            entries = service.deployments
            service.deployments = [entry for entry in entries if entry is deployment or id(entry) in remaining]
            if rollout.finished(service, tasks) and not service.steady:
                service.steady = True
                service.say("has reached a steady state.")


def deploy(service: Service, alarmed: list[str]) -> Deployment:
    """Make a deployment of the service's present settings, which supersedes others. The caller holds the lock.

    `alarmed` are the service's alarms that are in ALARM. "If an alarm is in the ALARM state at the beginning of a
    deployment, Amazon ECS will not monitor alarms for the duration of that deployment": the page that rollout.baked
    names.
    """
    revision = f"{service.arn.replace(':service/', ':service-revision/')}/{number()}"
    service.revisions[revision] = {"createdAt": time.time(), **service.settings}
    sources = [service.completed.revision] if service.completed else []
    arn = f"{service.arn.replace(':service/', ':service-deployment/')}/{number()}"
    release = Release(arn, revision, sources, dict(service.configuration))
    release.threshold = rollout.threshold(service.breaker, service.desired)
    release.watches = bool((service.configuration.get("alarms") or {}).get("enable")) and not alarmed
    for earlier in service.deployments:
        earlier.status = "ACTIVE"
        if earlier.release.ongoing:
            earlier.release.reach("STOPPED", "Superseded by a newer deployment.", "stoppedAt")
    deployment = Deployment(f"ecs-svc/{number()}", str(service.settings["taskDefinition"]), revision, release)
    deployment.reach("IN_PROGRESS", f"ECS deployment {deployment.id} in progress.")
    service.deployments.insert(0, deployment)
    service.releases.insert(0, release)
    service.steady = False
    return deployment


def summary(service: Service, tasks: list[Task], deployment: Deployment) -> Json:
    """Return the numbers of a deployment's running, pending and desired tasks."""
    own = [task for task in tasks if task.deployment is deployment and task.wanted]
    return {
        "runningCount": sum(task.last_status == "RUNNING" for task in own),
        "pendingCount": sum(task.last_status != "RUNNING" for task in own),
        "desiredCount": service.desired if deployment is service.primary else 0,
    }
