"""The life of a task, from its start to its end; each task has a thread."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol

from ministack.core.responses import request_scope

from . import dependencies, environment, logs, metadata
from .engine import EngineError, container_ports
from .environment import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .engine import Engine, Look
    from .model import Container, Task, World
    from .registry import Registry

log = logging.getLogger("emulator.tasks")

DAEMON = "Error response from daemon"
LOOK = 0.25  # seconds between two looks at a task's containers
NEVER_STARTED = 143  # the exit code that the agent reports of a container whose dependency can no longer be had
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
        values = {}
        for container in task.containers:
            with self._blame(container):
                self._pull(task, container)
                values[container.name] = environment.variables(task, container)
        task.reach("PENDING", "pullStoppedAt")
        if task.definition.get("networkMode") == "awsvpc":
            self._hold_network(task)
        waiting = task.containers
        while waiting := [each for each in waiting if not self._begun(task, each, values)]:
            if task.stop_requested.wait(LOOK):
                return
            self._look(task)
        with self.world.lock:
            if task.wanted:
                task.reach("ACTIVATING")
                self.targets.register(task)
                task.reach("RUNNING", "startedAt")
                metadata.status(task, "RUNNING")

    @contextlib.contextmanager
    def _blame(self, container: Container) -> Iterator[None]:
        """Note the reason at the container that it is about; the task goes on without one that is not essential."""
        try:
            yield
        except StartError as error:
            if error.container:
                with self.world.lock:
                    container.status, container.reason = "STOPPED", str(error)
            if container.essential or not error.container:
                raise

    def _pull(self, task: Task, container: Container) -> None:
        try:
            image = container.definition["image"]
            container.digest, container.image_id = self.engine.pull(image, self.registry.credentials(task, image))
        except EngineError as error:
            raise StartError(f"CannotPullContainerError: {DAEMON}: {error}", container=True) from error

    def _hold_network(self, task: Task) -> None:
        """Start the container that holds the network namespace of all others, as the agent does.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-networking-awsvpc.html
        """
        image = next(each.definition["image"] for each in task.containers if each.image_id)
        ports = {port for each in task.containers for port in container_ports(each.definition)}
        try:
            task.pause = self.engine.pause(f"{self._prefix(task)}-internalecspause", image, sorted(ports))
        except EngineError as error:
            raise StartError(f"CannotStartContainerError: {DAEMON}: {error}") from error

    def _prefix(self, task: Task) -> str:
        return f"{self.engine.network}-{task.id[:12]}"

    def _begun(self, task: Task, container: Container, values: dict[str, dict[str, str]]) -> bool:
        """Start a container if it may start. Return True once it has been started, or never will be."""
        if container.status != "PENDING":
            return True
        with self._blame(container):
            try:
                if task.stop_requested.is_set() or not dependencies.resolved(task, container):
                    return False
            except dependencies.NeverError as error:
                container.exit_code = NEVER_STARTED
                raise StartError(f"CannotStartContainerError: {error}", container=True) from error
            self._start_container(task, container, values[container.name])
        return True

    def _start_container(self, task: Task, container: Container, values: dict[str, str]) -> None:
        definition = dict(container.definition)
        changed = environment.override(task, container.name)
        definition.update({key: changed[key] for key in ("command", "memory", "cpu") if key in changed})
        token = metadata.register(task, container)
        values |= {"ECS_CONTAINER_METADATA_URI_V4": f"{self.metadata_url}/v4/{token}"}
        stream = logs.stream(task, container)
        try:
            name, image, pace = f"{self._prefix(task)}-{container.name}", definition["image"], self.world.pace
            made = self.engine.create(name, image, definition, values, task.definition, pace, task.pause)
            container.docker_id = made
            self.engine.start(made)
        except EngineError as error:
            raise StartError(f"CannotStartContainerError: {DAEMON}: {error}", container=True) from error
        look = self.engine.look(task.pause or made)
        own = container_ports(definition)
        with self.world.lock:
            container.status, container.started, container.address = "RUNNING", time.time(), look.address
            container.ports = {port: published for port, published in look.ports.items() if port in own}
            metadata.started(task, container, token)
        if stream:
            stream.follow(self.engine.output(made))

    def _refuse(self, task: Task, error: StartError) -> None:
        with self.world.lock:
            task.stop("Task failed to start" if error.container else str(error), "TaskFailedToStart")

    # -- running

    def _watch(self, task: Task) -> None:
        while not task.stop_requested.wait(LOOK):
            self._look(task)

    def _look(self, task: Task) -> None:
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
        """Drain the task, then end its containers: SIGTERM, and SIGKILL after stopTimeout, each in its turn."""
        with self.world.lock:
            task.reach("DEACTIVATING")
            delay = self.targets.deregister(task)
        crashed = any(container.essential and container.status == "STOPPED" for container in task.containers)
        if not crashed:
            self.ending.wait(delay)
        task.reach("STOPPING")
        stopped = {container.name: threading.Event() for container in task.containers}
        stopping = [threading.Thread(target=self._stop, args=(task, each, stopped)) for each in task.containers]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        if task.pause:
            self.engine.remove(task.pause)
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

    def _stop(self, task: Task, container: Container, stopped: dict[str, threading.Event]) -> None:
        """End a container, once those that depend on it have stopped."""
        try:
            for other in dependencies.dependents(task, container):
                stopped[other.name].wait()
            if container.docker_id is None:
                return
            if container.status == "RUNNING":
                self.engine.stop(container.docker_id, int(container.definition.get("stopTimeout") or STOP_TIMEOUT))
                self._note_exit(container, self.engine.look(container.docker_id))
            self.engine.remove(container.docker_id)
        finally:
            stopped[container.name].set()

    def _note_exit(self, container: Container, look: Look) -> None:
        container.status, container.exit_code = "STOPPED", look.exit_code
        if look.out_of_memory:
            container.reason = "OutOfMemoryError: Container killed due to memory usage"
