"""The stage: scenes, the account and the clone that they are played on, and the checks that every scene must pass."""

from __future__ import annotations

import json
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from delivery.deployment.outcomes import Outcome

from .account import VISITS, SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .account import Account
    from .changes import Change
    from .clone import Clone
    from .command import Ended

# The first call that follows a rollout; it is printed before it is made.
FOLLOWS = "aws ecs describe-service-deployments"
LINGER = 3.0  # seconds that visitors stay when a scene is over


@dataclass
class Played:
    """The result of a scene. `seconds` run from the call that changes the service; None without such a call."""

    name: str
    expected: str
    outcome: str = ""
    exit_code: int | None = None
    diagnosis: str | None = None
    requests: int = 0
    failed_requests: int = 0
    seconds: float | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"passed": self.passed}


class Stage:
    """The account and the clone that scenes are played on.

    `live` is the commit that is live (None before the first release), `released` those that were live, in order, and
    `to_be_seen` those that visitors may see.
    """

    def __init__(self, account: Account, clone: Clone) -> None:
        self.account, self.clone = account, clone
        self.live: str | None = None
        self.released: list[str] = []
        self.to_be_seen: set[str] = set()

    def goes_live(self, ended: Ended) -> Ended:
        """Note the live release of a command that succeeded."""
        if ended.code == 0:
            self.live = self.clone.head
            self.released.append(self.live)
            self.to_be_seen.add(self.live)
        return ended

    def merge(self, why: str, change: Change | None = None) -> str:
        """Commit a change on top of what is live, build it and push it; return the commit."""
        if self.live:
            self.clone.back_to(self.live)
        self.clone.commit(why, change)
        return self.clone.publish()

    def release(self, why: str, change: Change | None = None) -> Ended:
        """Merge a change, and deploy it."""
        self.merge(why, change)
        return self.goes_live(self.clone.deliver("deploy"))

    def again(self, *arguments: str, **job: Any) -> Ended:
        """Deploy the live commit once more."""
        if self.live:
            self.clone.back_to(self.live)
        return self.clone.deliver("deploy", *arguments, **job)

    def shown(self) -> Any:
        """Return the commit that the site shows."""
        with urllib.request.urlopen(f"{self.account.url}/release.json", timeout=10) as answer:
            return json.load(answer)["commit"]


@dataclass(frozen=True)
class Scene:
    """A scene: its play, and the outcome and the cause that are right; `cause` is a part of the diagnosis."""

    name: str
    play: Callable[[Stage], Ended]
    outcome: Outcome
    cause: str = ""
    needs: int = 1  # releases that were live before
    short: bool = False  # part of the short rehearsal, too

    @property
    def slug(self) -> str:
        return self.name.replace(" ", "-")

    @property
    def expected(self) -> str:
        return f"{self.outcome.title}: {self.cause}" if self.cause else self.outcome.title

    def played(self, stage: Stage) -> Played:
        """Play it, and return its result. An error is a problem of the scene, and is not raised."""
        result = Played(self.name, self.expected)
        with _visited(stage, result):
            try:
                self._judge(self.play(stage), result)
                if stage.live and (shown := stage.shown()) != stage.live:
                    result.problems.append(f"the site shows {shown}, not {stage.live}")
                    stage.live = shown  # so that the next scene is not blamed for this one
            except Exception as error:
                result.outcome = result.outcome or "aborted"
                kind = "" if isinstance(error, AssertionError | SetupError) else f"{type(error).__name__}: "
                result.problems.append(f"{kind}{error}")
            finally:
                stage.clone.stop()
        return result

    def _judge(self, ended: Ended, result: Played) -> None:
        result.exit_code, result.diagnosis, result.seconds = ended.code, ended.diagnosis, ended.seconds
        result.outcome = next((each.title for each in Outcome if each.code == ended.code), f"exit code {ended.code}")
        if ended.code != self.outcome.code:
            result.problems.append(f"ended with {ended.code}, not with {self.outcome.code}")
        if self.cause and self.cause not in (ended.diagnosis or ""):
            result.problems.append(f"the diagnosis is {ended.diagnosis!r}")
        if self.outcome in (Outcome.ROLLED_BACK, Outcome.CANCELLED) and ended.seconds is None:
            result.problems.append("the service was never changed")


@contextmanager
def _visited(stage: Stage, result: Played) -> Iterator[None]:
    """Let visitors load the site during a scene; before the first release, from the moment it is live."""
    if stage.live:
        with _visitors(stage, result):
            yield
        return
    yield
    if stage.live:
        with _visitors(stage, result):
            pass


@contextmanager
def _visitors(stage: Stage, result: Played) -> Iterator[None]:
    """Let visitors load the site, and some seconds longer. None may meet a failure, or a release that is not live."""
    assert stage.live
    stage.to_be_seen = {stage.live}
    with stage.account.visitors() as visitors:
        yield
        time.sleep(LINGER)
    report = visitors.report()
    result.requests, result.failed_requests = report.requests, len(report.failures)
    # A busy machine makes fewer requests than planned.
    if report.requests < VISITS * report.seconds / 5:
        result.problems.append(f"only {report.requests} requests in {report.seconds:.0f} seconds")
    result.problems += [f"{count} visitors met {reason}" for reason, count in report.reasons.items()]
    if strange := set(report.seen) - stage.to_be_seen:
        result.problems.append(f"visitors saw {', '.join(sorted(strange))}")
