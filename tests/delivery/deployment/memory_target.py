"""A target of deployments in memory, which has all that a deployment needs of any target, and no more."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from delivery.deployment.errors import CallError, Conflict
from delivery.deployment.outcomes import Cause
from delivery.deployment.seam import Image, Progress, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from delivery.deployment.seam import Candidate, Json, Target


class OutOfOrderError(CallError):
    """A call that failed, for good."""

    may_pass = may_be_done = False
    lasts, cause = True, Cause("out-of-order", "The target is out of order.", (), "wait.")


class MemoryStore:
    def __init__(self) -> None:
        self.objects: dict[str, tuple[Json, str]] = {}

    def read(self, key: str, *, quiet: bool = False) -> tuple[Json, str] | None:
        return self.objects.get(key)

    def write(self, key: str, path: Path, *, instead_of: str | None, quiet: bool = False) -> str:
        if self.objects.get(key, (None, None))[1] != instead_of:
            raise Conflict
        version = f"v{len(self.objects)}-{instead_of}"
        self.objects[key] = json.loads(path.read_text()), version
        return version

    def keys(self, prefix: str) -> list[str]:
        return [key for key in self.objects if key.startswith(prefix)]


@dataclass
class MemoryRevision:
    id: str
    digest: str | None
    difference: list[str] = field(default_factory=list)


# Of a change: a state alone, a progress, or the failure of the call that looks.
Step = State | Progress | CallError


class MemoryChange:
    """A change that makes the next of the target's steps at each look, and the last one from then on."""

    def __init__(self, target: MemoryTarget, revision: MemoryRevision, states: list[Step]) -> None:
        self._target, self._revision, self._states = target, revision, states
        self.id, self.begun = f"change to {revision.id}", False

    def begin(self, tasks: int | None = None) -> None:
        self.begun = True
        self._target.calls.append(f"change to {self._revision.id}" + (f" with {tasks}" if tasks else ""))
        self._target.now = self._revision

    def look(self) -> Progress:
        step = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        if isinstance(step, CallError):
            raise step
        progress = Progress(step, step.name, (step.value,)) if isinstance(step, State) else step
        if progress.state is State.UNDONE:
            self._target.now = self._target.before
        return progress

    def stop(self) -> None:
        self._target.calls.append("stop")
        self._states = [State.UNDOING, State.UNDONE]

    def successor(self) -> Cause | None:
        return self._target.successor

    def diagnose(self) -> Cause:
        return Cause("broken", "It is broken.", ("a line of its log",), "mend it.")


@dataclass
class MemoryRunning:
    image: str | None = "books@digest-of-old"
    commit: str | None = "old"
    recorded: str | None = "books@digest-of-old"
    url: str | None = None
    idle: bool = False
    differing: str = ""

    @property
    def digest(self) -> str | None:
        return self.image.partition("@")[2] if self.image else None


class MemoryRegistry:
    """An image of each commit but those in `missing`; `kept` are the images that it never removes."""

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.kept: list[str] = []

    def find(self, commit: str) -> Image | None:
        return None if commit in self.missing else Image(f"digest-of-{commit}", (commit,))

    def name(self, image: Image) -> str:
        return f"books@{image.digest}"

    def keep(self, image: Image, commit: str) -> None:
        self.kept.append(image.digest)


class MemoryTarget:
    """A target with the steps of its next change in `states`, and of the change that restores in `restoring`."""

    name, identity = "books", "a test"
    advice: Mapping[str, str] = {"unproven": "look at what is in between."}

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.changes: dict[str, bool] = {}
        self.checks: dict[str, Callable[[Candidate], str]] = {"target": lambda _: "is there"}
        self.registry, self.store, self.running = MemoryRegistry(), MemoryStore(), MemoryRunning()
        self.states: list[Step] = [State.GOING, State.DONE]
        self.restoring: list[Step] = [State.DONE]
        self.now = self.before = MemoryRevision("r1", "digest-of-old")
        self.successor: Cause | None = None
        self.recorded = ""

    def prepare(self, image: Image) -> MemoryRevision:
        return MemoryRevision("r2", image.digest, [f"+ {image.digest}"])

    def migrate(self, revision: MemoryRevision) -> Json:
        self.calls.append(f"migrate with {revision.id}")
        return {"task": "t1", "exit_code": 0}

    def change(self, revision: MemoryRevision) -> MemoryChange:
        return MemoryChange(self, revision, list(self.states))

    def restore(self) -> MemoryChange:
        return MemoryChange(self, self.before, list(self.restoring))

    def first_tasks(self) -> int:
        return 2

    def runs(self, revision: MemoryRevision) -> bool:
        return self.now is revision

    def tasks(self) -> dict[str, dict[str, str | None]]:
        return {"t2": {"site": self.now.digest}}

    def record(self, image: Image) -> None:
        self.recorded = self.registry.name(image)


def as_target(target: MemoryTarget) -> Target[MemoryRevision]:
    """Return a target as the seam has it, which mypy holds it to."""
    return target
