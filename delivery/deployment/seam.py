"""The seam between a deployment and its surroundings: what it asks of a pipeline, a store, a registry and a target."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set
    from pathlib import Path

    from delivery.deployment.outcomes import Cause

Json = dict[str, Any]
SomeRevision = TypeVar("SomeRevision", bound="Revision")  # of one target


class Pipeline(Protocol):
    """The job or the person that runs a step. An attribute is None where there is no such thing."""

    user: str  # to ask about a deployment: a name with the job's page, or with the machine's name
    automatic: bool = False  # a job of a pipeline, not a person at a terminal
    branch: str | None = None
    protected: bool = False  # the branch, which only some may change
    protect: str = ""  # the instruction by which a branch is protected
    back: str = "`make rollback`, or --allow-older"  # the way to an older release
    engine: str = "start it, or make `docker` find it"  # the instruction where no container engine answers
    ref: str | None = None  # the branch or tag that is built
    commit: str | None = None
    url: str | None = None
    job_url: str | None = None
    began: str | None = None  # in ISO 8601
    pushed_image: str | None = None  # by an earlier job, REPOSITORY@DIGEST
    identity_token: str | None = None  # proves to a target which pipeline a job belongs to
    job: str = "by-hand"  # its name in the target's own records


class Store(Protocol):
    """A place for JSON objects, with conditional writes. Every method raises CallError."""

    def read(self, key: str, *, quiet: bool = False) -> tuple[Json, str] | None:
        """Return an object and its version. None where there is none."""

    def write(self, key: str, path: Path, *, instead_of: str | None, quiet: bool = False) -> str:
        """Store a file and return its version. Raises Conflict unless `instead_of` is the present version."""

    def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin with a prefix."""


@dataclass(frozen=True)
class Image:
    """An image in the registry. `unfit` is the cause why it cannot be released, None for one that can."""

    digest: str
    tags: tuple[str, ...]
    unfit: Cause | None = None


class Registry(Protocol):
    """The images that can be deployed. Every method raises CallError."""

    def find(self, commit: str) -> Image | None:
        """Return the image that is tagged with a commit."""

    def name(self, image: Image) -> str:
        """Return REPOSITORY@DIGEST, by which a target runs an image."""

    def keep(self, image: Image, commit: str) -> None:
        """Have the registry never remove an image."""


class Running(Protocol):
    """The release that the target is set to run at one moment. Reading a property may raise CallError."""

    @property
    def image(self) -> str | None:
        """The image by its digest; None before the first release, and where containers run different ones."""

    @property
    def digest(self) -> str | None:
        """The digest of that image."""

    @property
    def differing(self) -> str:
        """The images in words, where containers run different ones; else empty."""

    @property
    def commit(self) -> str | None:
        """The commit of that image."""

    @property
    def recorded(self) -> str | None:
        """The image that was recorded last as released."""

    @property
    def url(self) -> str | None:
        """The address that visitors use, without a slash at its end."""

    @property
    def idle(self) -> bool:
        """True if no task is to run, as before the first release."""


class State(Enum):
    """The state of a change."""

    GOING = "going"
    DONE = "done"
    UNDOING = "being undone"
    UNDONE = "undone"
    REPLACED = "replaced by another change"
    FAILED = "failed, and not undone"

    @property
    def ended(self) -> bool:
        """True if nothing more will happen."""
        return self not in (State.GOING, State.UNDOING)


class Stage(Enum):
    """The stage of a change that is under way, in their order. A target need not have them all."""

    CAPACITY = "waiting for capacity"  # a machine has to start first
    START = "starting"
    HEALTHY = "being checked"  # all new tasks run, not all are healthy
    TEST = "serving test traffic"
    SHIFT = "taking over"  # from tasks of before
    BAKE = "baking"  # all new tasks serve, no other is left, and the target watches its alarms


@dataclass(frozen=True)
class Progress:
    """A change at one moment: its state, the target's own word for that, and lines for a person.

    `counts` are the numbers, of tasks for example, of which any change is progress.
    """

    state: State
    word: str
    lines: tuple[str, ...] = ()
    stage: Stage = Stage.START
    counts: tuple[float, ...] = ()

    @property
    def baking(self) -> bool:
        """True if nothing remains but the bake."""
        return self.state is State.GOING and self.stage is Stage.BAKE


class Revision(Protocol):
    """A description of what is to run, which the target has taken in and does not run yet."""

    @property
    def id(self) -> str:
        """The target's name for it."""

    @property
    def difference(self) -> Sequence[str]:
        """The lines in which it differs from what runs, as a unified diff."""


class Change(Protocol):
    """One rollout, from the one call that begins it to its end. Every method raises CallError."""

    @property
    def id(self) -> str:
        """The target's name for it."""

    @property
    def begun(self) -> bool:
        """True if the target may have been changed."""

    def begin(self, tasks: int | None = None) -> None:
        """Make the call and learn the change's id. `tasks` is the number to run, None for as many as now."""

    def look(self) -> Progress:
        """Return the progress at this moment."""

    def stop(self) -> None:
        """Tell the target to go back to what ran before. Does nothing to a change that has ended."""

    def successor(self) -> Cause | None:
        """Return the cause that names a later change, None where this is the newest."""

    def diagnose(self) -> Cause:
        """Return why it did not succeed."""


class Target(Protocol[SomeRevision]):
    """The environment to deploy to. Every method raises CallError."""

    @property
    def name(self) -> str:
        """The name of what is deployed."""

    @property
    def identity(self) -> str:
        """The name that the target knows the caller by."""

    @property
    def registry(self) -> Registry:
        """The images that can be deployed here."""

    @property
    def store(self) -> Store:
        """The place of the lock and the receipts."""

    @property
    def running(self) -> Running:
        """The release that ran before the deployment."""

    @property
    def changes(self) -> Mapping[str, bool]:
        """The changes so far in words, each with whether it certainly happened."""

    @property
    def checks(self) -> Mapping[str, Callable[[Candidate], str]]:
        """The target's own checks of the preflight. Each returns what it found, or raises Refusal or Doubt."""

    @property
    def advice(self) -> Mapping[str, str]:
        """The next step for each kind of cause that the deployment finds by itself."""

    def prepare(self, image: Image) -> SomeRevision:
        """Register the running revision with another image in it, and nothing else changed."""

    def migrate(self, revision: SomeRevision) -> Json:
        """Prepare the database with a task of a revision. Raises Ended and Cancelled."""

    def change(self, revision: SomeRevision) -> Change:
        """Return the change to a revision, not begun."""

    def restore(self) -> Change:
        """Return the change back to what ran before the deployment, not begun."""

    def first_tasks(self) -> int:
        """Return with how many tasks a first release starts."""

    def runs(self, revision: SomeRevision) -> bool:
        """Return whether the target is still set to run a revision."""

    def tasks(self) -> Mapping[str, Mapping[str, str | None]]:
        """Return the running tasks, each with the digests of the project's containers by their names."""

    def record(self, image: Image) -> None:
        """Record an image as the released one."""


class Users(Protocol):
    """The two users of the database that the site serves as in turn. Every method raises CallError."""

    def advance(self) -> None:
        """Have the next user serve, in each task that starts from now on."""

    def renew(self) -> None:
        """Have the user that served before be the next one, with a new password."""


class Gate(Protocol):
    """A condition that a finished rollout must meet; else what ran before runs again."""

    @property
    def name(self) -> str:
        """The name of its step, and of its evidence on the receipt."""

    def require(self) -> Json:
        """Return the evidence, for the receipt. Raises Refusal and CallError."""


@dataclass
class Candidate:
    """A commit of a checkout, its branch, and its image in the target's registry.

    `expected` is the digest that the image must have, None for any. `scanned` is the digest of the image that this
    checkout's own scan passed. `exceptions` are the findings that a scan may have. `rollback` is set for a release that
    was proven before, `rotation` for the one that runs, with another user of the database.
    """

    commit: str
    root: Path
    branch: str
    pipeline: Pipeline
    target: Target[Any]
    expected: str | None = None
    scanned: str | None = None
    exceptions: Set[str] = field(default_factory=frozenset)
    rollback: bool = False
    rotation: bool = False
    allow_older: bool = False

    @cached_property
    def found(self) -> Image | None:
        """The image, None where the registry has none. Raises CallError."""
        return self.target.registry.find(self.commit)

    @property
    def image(self) -> Image:
        """The image, once the preflight has found it."""
        assert self.found is not None  # noqa: S101 -- checked by the preflight
        return self.found

    @cached_property
    def name(self) -> str:
        """The image's name, REPOSITORY@DIGEST, once the preflight has found it. Raises CallError."""
        return self.target.registry.name(self.image)
