"""The scenes on an AWS that behaves as AWS does: the live commit is deployed again under each of its faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from delivery.deployment.outcomes import Outcome

from .stage import Scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from .command import Ended
    from .stage import Stage


def under(*faults: str) -> Callable[[Stage], Ended]:
    """Return a scene under these faults (tests/emulator/awkward.py)."""

    def play(stage: Stage) -> Ended:
        stage.account.aws.behave(*faults)
        try:
            return stage.again("--force")
        finally:
            stage.account.aws.behave()

    return play


def a_clock_that_is_off(stage: Stage) -> Ended:
    ended = under("clock")(stage)
    assert "Signature expired" in ended.said, "the output does not say what is wrong"
    return ended


SCENES = (
    Scene("aws throttles", under("throttled"), Outcome.LIVE),
    Scene("aws shows things late", under("late"), Outcome.LIVE),
    Scene("aws has short pages", under("paged"), Outcome.LIVE),
    Scene("aws fails once each", under("error"), Outcome.LIVE),
    Scene("aws loses answers", under("dropped"), Outcome.LIVE),
    Scene("aws is slow", under("slow"), Outcome.LIVE),
    Scene("aws is awkward", under("throttled", "late", "paged", "dropped"), Outcome.LIVE, short=True),
    Scene("clock that is off", a_clock_that_is_off, Outcome.REFUSED),
)
