"""The life of a task, from its start to its end; each task has a thread."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol

from ministack.core.responses import request_scope

from . import environment, logs, metadata
from .engine import EngineError
from .environment import StartError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engine import Engine, Look
    from .model import Container, Task, World
    from .registry import Registry

log = logging.getLogger("emulator.tasks")

DAEMON = "Error response from daemon"
LOOK = 0.25  # seconds between two looks at a task's containers
STOP_TIMEOUT = 30  # the default of stopTimeout, in seconds; a process has it whole, whatever the pace


class Targets(Protocol):
    """The load balancers, as a task uses them: it is registered, and is deregistered before it stops."""

    def register(self, task: Task) -> None: ...
    def deregister(self, task: Task) -> float: ...


class Runner:
    """Runs tasks. `ended` is called, with the world's lock held, when one has stopped."""

    def __init__(self, world: World, engine: Engine, targets: Targets, registry: Registry, metadata_url: str) -> None:
        self.world = world
        self.engine = engine
        self.targets = targets
        self.registry = registry
        self.metadata_url = metadata_url
        self.ended: Callable[[Task], None] = lambda _task: None
        self.place: Callable[[Task], bool] = lambda _task: True
        self.ending = threading.Event()  # of the emulator: draining is cut short then
        self._threads: list[threading.Thread] = []

    def run(self, task: Task) -> None:
        """Start a task."""
        thread = threading.Thread(target=self._live, args=(task,), name=f"task-{task.id[:8]}", daemon=True)
        self._threads = [known for known in self._threads if known.is_alive()] + [thread]
        thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the tasks to stop."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _live(self, task: Task) -> None:
        try:
            with request_scope(task.account, task.region):
                try:
                    self._await_instance(task)
                    self._start(task)
                    self._watch(task)
                except StartError as error:
                    self._refuse(task, error)
                self._end(task)
        except Exception:
            log.exception("task %s failed", task.id)
            with self.world.lock:
                task.stop("The task's thread failed; see the emulator's log", "TaskFailedToStart")
                self._stopped(task)

    # -- up

    def _await_instance(self, task: Task) -> None:
        """Wait until a task is placed, or is to stop."""
        while not task.stop_requested.is_set():
            with self.world.lock:
                if self.place(task):
                    return
            task.stop_requested.wait(LOOK)

    def _start(self, task: Task) -> None:
        task.reach("PENDING", "pullStartedAt")
        prepared = []
        for container in task.containers:
            try:
                image = container.definition["image"]
                container.digest, container.image_id = self.engine.pull(image, self.registry.credentials(task, image))
            except EngineError as error:
                raise StartError(f"CannotPullContainerError: {DAEMON}: {error}", container=True) from error
            prepared.append((container, environment.variables(task, container)))
        task.reach("PENDING", "pullStoppedAt")
        for container, values in prepared:
            if task.stop_requested.is_set():
                return
            self._start_container(task, container, values)
        with self.world.lock:
            if task.wanted:
                task.reach("ACTIVATING")
                self.targets.register(task)
                task.reach("RUNNING", "startedAt")
                metadata.status(task, "RUNNING")

    def _start_container(self, task: Task, container: Container, values: dict[str, str]) -> None:
        definition = dict(container.definition)
        changed = environment.override(task, container.name)
        definition.update({key: changed[key] for key in ("command", "memory", "cpu") if key in changed})
        token = metadata.register(task, container)
        values |= {"ECS_CONTAINER_METADATA_URI_V4": f"{self.metadata_url}/v4/{token}"}
        stream = logs.stream(task, container)
        try:
            name, pace = f"{self.engine.network}-{task.id[:12]}-{container.name}", self.world.pace
            image = definition["image"]
            container.docker_id = self.engine.create(name, image, definition, values, task.definition, pace)
            self.engine.start(container.docker_id)
        except EngineError as error:
            raise StartError(f"CannotStartContainerError: {DAEMON}: {error}", container=True) from error
        look = self.engine.look(container.docker_id)
        with self.world.lock:
            container.status, container.address, container.ports = "RUNNING", look.address, look.ports
            metadata.started(task, container, token)
        if stream:
            stream.follow(self.engine.output(container.docker_id))

    def _refuse(self, task: Task, error: StartError) -> None:
        with self.world.lock:
            if error.container:
                task.stop("Task failed to start", "TaskFailedToStart")
                next(c for c in task.containers if c.status == "PENDING").reason = str(error)
            else:
                task.stop(str(error), "TaskFailedToStart")

    # -- running

    def _watch(self, task: Task) -> None:
        while not task.stop_requested.wait(LOOK):
            for container in task.containers:
                self._look_at(task, container)

    def _look_at(self, task: Task, container: Container) -> None:
        if not container.docker_id or container.status == "STOPPED":
            return
        look = self.engine.look(container.docker_id)
        with self.world.lock:
            if container.definition.get("healthCheck"):
                container.health = look.health
            if look.running:
                return
            self._note_exit(container, look)
            if container.essential or all(other.status == "STOPPED" for other in task.containers):
                task.stop("Essential container in task exited", "EssentialContainerExited")

    # -- down

    def _end(self, task: Task) -> None:
        """Drain the task, then end its containers: SIGTERM, and SIGKILL after stopTimeout."""
        with self.world.lock:
            task.reach("DEACTIVATING")
            delay = self.targets.deregister(task)
        crashed = any(container.essential and container.status == "STOPPED" for container in task.containers)
        if not crashed:
            self.ending.wait(delay)
        task.reach("STOPPING")
        stopping = [threading.Thread(target=self._stop, args=(container,)) for container in task.containers]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        with self.world.lock:
            task.reach("DEPROVISIONING", "executionStoppedAt")
            self._stopped(task)

    def _stopped(self, task: Task) -> None:
        """Mark a task as stopped, and report it while the lock is held, so that both show at once."""
        metadata.forget(task)
        task.reach("STOPPED", "stoppedAt")
        for container in task.containers:
            container.status = "STOPPED"
        self.ended(task)

    def _stop(self, container: Container) -> None:
        if container.docker_id is None:
            return
        if container.status == "RUNNING":
            self.engine.stop(container.docker_id, int(container.definition.get("stopTimeout") or STOP_TIMEOUT))
            self._note_exit(container, self.engine.look(container.docker_id))
        self.engine.remove(container.docker_id)

    def _note_exit(self, container: Container, look: Look) -> None:
        container.status, container.exit_code = "STOPPED", look.exit_code
        if look.out_of_memory:
            container.reason = "OutOfMemoryError: Container killed due to memory usage"
