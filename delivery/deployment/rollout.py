"""A rollout to its end, whichever it is: live and proven, or what ran before is back."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from delivery.deployment.cancellation import Cancelled
from delivery.deployment.deadlines import Deadlines
from delivery.deployment.errors import CallError, Refusal
from delivery.deployment.outcomes import Cause, Ended, Outcome
from delivery.deployment.seam import Progress, Stage, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from delivery.deployment.availability import Meter
    from delivery.deployment.cancellation import Poller
    from delivery.deployment.receipts import Receipt
    from delivery.deployment.seam import Change, Gate, Revision, Target
    from delivery.settings import Settings
    from delivery.terminal.display import Display


class Rollout:
    """The part of a deployment in which the target changes. Its deadlines are those of `settings`."""

    def __init__(
        self, target: Target[Any], poller: Poller, settings: Settings, display: Display, meter: Meter, receipt: Receipt
    ) -> None:
        self._target, self._poller, self._settings = target, poller, settings
        self._display, self._meter, self._receipt = display, meter, receipt
        self._change: Change | None = None
        self._progress = Progress(State.GOING, "")  # as it was seen last

    @property
    def begun(self) -> bool:
        """True if the target may have been changed."""
        return self._change is not None and self._change.begun

    def complete(self, revision: Revision, tasks: int | None) -> None:
        """Roll a revision out, and return once the target says that it is done, or that only the bake remains.

        Raises Ended when that does not happen, after what ran before is back, or could not be brought back.
        """
        self._display.step("Rollout")
        change = self._change = self._target.change(revision)
        change.begin(tasks)
        self._receipt.facts["deployment"] = change.id
        outcome, cause, late = Outcome.ROLLED_BACK, None, None
        try:
            late = self._follow(change, lambda progress: progress.baking or self._is_over(progress))
        except Cancelled as cancelled:
            outcome = Outcome.CANCELLED
            cause = Cause("cancelled", f"Cancelled by {cancelled} during the rollout.")
        self._receipt.facts["deployment"] = change.id  # another one, if the call was made twice
        if self._progress.state is State.DONE or self._progress.baking:
            return
        cause = cause or change.diagnose()
        if late and self._progress.state is State.GOING:
            outcome, cause = Outcome.TIMED_OUT, replace(cause, sentence=f"{late} {cause.sentence}")
        self._fail(change, outcome, cause)

    def bake(self) -> None:
        """Watch the bake of a proven release to its end, but no longer than its time; that undoes nothing.

        All tasks serve the release, which is proven, so there is nothing that going back would mend. A cancellation or
        a call that fails ends the watching, too. Raises Ended when the target itself undoes the release meanwhile.
        """
        change = self._change
        assert change is not None  # noqa: S101 -- a rollout was completed
        if self._progress.state is State.DONE:
            return
        self._display.step("Bake")
        try:
            self._follow(change, lambda progress: progress.state is not State.GOING, seconds=self._settings.bake)
        except (Cancelled, CallError) as error:
            self._display.line(f"No longer watched: {error}.", "yellow")
        progress = self._progress
        if progress.state not in (State.GOING, State.DONE):
            self._receipt.facts["proof"] = None  # no rollback may go to it
            self._fail(change, Outcome.ROLLED_BACK, change.diagnose())
        ended = progress.state is State.DONE
        self._receipt.facts["bake"] = {"ended": ended}
        if not ended:
            self._display.line("It still bakes, and an alarm may still undo it: `make status` shows that.", "yellow")

    def require(self, revision: Revision, gate: Gate) -> None:
        """Put the finished rollout to a gate. Raises Ended, after what ran before is back.

        It is too late to cancel this: going back would take longer.
        """
        self._display.step(gate.name.capitalize())
        try:
            self._receipt.facts[gate.name] = gate.require()
        except Refusal as refusal:
            cause = Cause("unproven", refusal.sentence, refusal.evidence, refusal.change)
            change = self._change
            assert change is not None  # noqa: S101 -- a rollout was completed
            if not self._poller.until_answered(lambda: self._target.runs(revision), repeat=not_lasting):
                successor = self._poller.until_answered(change.successor, repeat=not_lasting)
                raise Ended(Outcome.SUPERSEDED, successor or cause) from None
            progress = self._undo(change, self._progress)
            self._end(Outcome.ROLLED_BACK, cause, self._go_back() if progress.state is State.DONE else progress)

    def _is_over(self, progress: Progress) -> bool:
        """Tell whether a change is followed no further."""
        # Before a first release there is nothing to go back to; a target would try all the same.
        return progress.state.ended or (progress.state is State.UNDOING and self._target.running.idle)

    def _follow(
        self,
        change: Change,
        until: Callable[[Progress], bool],
        *,
        seconds: float | None = None,
        cancellable: bool = True,
    ) -> str | None:
        """Look at a change until its progress is as wanted, or for so many `seconds`; without any, to its deadlines.

        Returns the sentence of a deadline that it missed. Raises Cancelled if `cancellable`, and CallError for one that
        lasts; outlives any other.
        """
        self._progress = Progress(State.GOING, "")
        deadlines = Deadlines(self._settings)
        for passed in self._poller.polls(math.inf if seconds is None else seconds, cancellable=cancellable):
            try:
                self._progress = change.look()
            except CallError as error:
                if error.lasts:
                    raise
            progress = self._progress
            late = deadlines.look(progress, passed)
            tally = self._meter.tally()
            moving = (f"{deadlines.spent(progress.stage):.0f} s", tally.text() if tally else "")
            stage = [] if progress.state.ended else [progress.stage.value]
            self._display.block([*stage, *progress.lines], ", ".join(filter(None, moving)))
            if until(progress):
                break
            if late and seconds is None:
                return late
        return None

    def _require_no_successor(self, change: Change, progress: Progress) -> None:
        if progress.state is State.REPLACED:
            successor = self._poller.until_answered(change.successor, repeat=not_lasting)
            if successor:
                raise Ended(Outcome.SUPERSEDED, successor)

    def _undo(self, change: Change, progress: Progress) -> Progress:
        """Have what ran before, and return the progress of the change that brought it back."""
        if self._target.running.idle:
            return self._go_back()
        if progress.state.ended:
            return progress
        if progress.state is State.GOING:
            self._display.line("Telling the target to undo it.", "yellow")
            change.stop()
        return self._follow_back(change, State.UNDOING)

    def _go_back(self) -> Progress:
        """Deploy what ran before, or nothing where nothing ran, and return that change's progress as an undoing."""
        self._display.line("Going back to the previous release.", "yellow")
        change = self._target.restore()
        change.begin()
        progress = self._follow_back(change, State.GOING)
        return replace(progress, state=State.UNDONE) if progress.state is State.DONE else replace(progress, word="")

    def _follow_back(self, change: Change, going: State) -> Progress:
        """Follow a change that brings back what ran before, in the state `going`, and return its progress."""
        self._follow(change, lambda progress: progress.state.ended, cancellable=False)
        progress = self._progress
        if (progress.state, progress.stage) == (going, Stage.BAKE):
            return replace(progress, state=State.UNDONE)  # what ran before serves again, and only bakes
        return progress

    def _fail(self, change: Change, outcome: Outcome, cause: Cause) -> None:
        """Have what ran before, and raise Ended, unless the change is done before it can be undone."""
        self._require_no_successor(change, self._progress)
        progress = self._undo(change, self._progress)
        if progress.state is State.DONE:
            self._display.line("It finished before it could be undone.", "yellow")
            return
        self._require_no_successor(change, progress)
        self._end(outcome, cause, progress)

    def _end(self, outcome: Outcome, cause: Cause, progress: Progress) -> None:
        if progress.state is State.UNDONE:
            raise Ended(outcome, cause)
        word = f" ({progress.word})" if progress.word else ""
        raise Ended(Outcome.FAILED, replace(cause, sentence=f"{cause.sentence} It could not be undone{word}."))


def not_lasting(error: CallError) -> bool:
    """Tell whether a read is repeated: after any error but one that lasts."""
    return not error.lasts
