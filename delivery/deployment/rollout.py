"""A rollout to its end, whichever it is: live and proven, or what ran before is back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from delivery.deployment.cancellation import Cancelled
from delivery.deployment.errors import CallError, Refusal
from delivery.deployment.outcomes import Cause, Ended, Outcome
from delivery.deployment.seam import Progress, State

if TYPE_CHECKING:
    from delivery.deployment.availability import Meter
    from delivery.deployment.cancellation import Poller
    from delivery.deployment.receipts import Receipt
    from delivery.deployment.seam import Change, Gate, Revision, Target
    from delivery.terminal.display import Display


class Rollout:
    """The part of a deployment in which the target changes. It takes `timeout` seconds, and as long to be undone."""

    def __init__(
        self, target: Target[Any], poller: Poller, timeout: float, display: Display, meter: Meter, receipt: Receipt
    ) -> None:
        self._target, self._poller, self._timeout = target, poller, timeout
        self._display, self._meter, self._receipt = display, meter, receipt
        self._change: Change | None = None
        self._progress = Progress(State.GOING, "")  # as it was seen last

    @property
    def begun(self) -> bool:
        """True if the target may have been changed."""
        return self._change is not None and self._change.begun

    def complete(self, revision: Revision, tasks: int | None) -> None:
        """Roll a revision out, and return once the target says that it is done.

        Raises Ended when that does not happen, after what ran before is back, or could not be brought back.
        """
        self._display.step("Rollout")
        change = self._change = self._target.change(revision)
        change.begin(tasks)
        self._receipt.facts["deployment"] = change.id
        # Before a first release there is nothing to go back to; a target would try all the same.
        until = {state for state in State if state.ended or (state is State.UNDOING and self._target.running.idle)}
        outcome, cause = Outcome.ROLLED_BACK, None
        try:
            if self._follow(change, until).state not in until:
                outcome = Outcome.TIMED_OUT
        except Cancelled as cancelled:
            outcome = Outcome.CANCELLED
            cause = Cause("cancelled", f"Cancelled by {cancelled} during the rollout.")
        self._receipt.facts["deployment"] = change.id  # another one, if the call was made twice
        progress = self._progress
        if progress.state is State.DONE:
            return
        cause = cause or change.diagnose()
        if outcome is Outcome.TIMED_OUT:
            cause = replace(cause, sentence=f"Not done after {self._timeout:.0f} s. {cause.sentence}")
        self._require_no_successor(change, progress)
        progress = self._undo(change, progress)
        if progress.state is State.DONE:
            self._display.line("It finished before it could be undone.", "yellow")
            return
        self._require_no_successor(change, progress)
        self._end(outcome, cause, progress)

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
            self._end(Outcome.ROLLED_BACK, cause, self._go_back())

    def _follow(self, change: Change, until: set[State], *, cancellable: bool = True) -> Progress:
        """Look at a change `until` it is in one of these states or time is up, and return its progress.

        Raises Cancelled if `cancellable`, and CallError for one that lasts; outlives any other.
        """
        self._progress = Progress(State.GOING, "")
        for _ in self._poller.polls(self._timeout, cancellable=cancellable):
            try:
                self._progress = progress = change.look()
            except CallError as error:
                if error.lasts:
                    raise
                continue
            tally = self._meter.tally()
            self._display.block(list(progress.lines), tally.text() if tally else "")
            if progress.state in until:
                break
        return self._progress

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
        self._display.line("Telling the target to undo it.", "yellow")
        change.stop()
        return self._follow(change, ENDED, cancellable=False)

    def _go_back(self) -> Progress:
        """Deploy what ran before, or nothing where nothing ran, and return that change's progress as an undoing."""
        self._display.line("Going back to the previous release.", "yellow")
        change = self._target.restore()
        change.begin()
        progress = self._follow(change, ENDED, cancellable=False)
        return replace(progress, state=State.UNDONE) if progress.state is State.DONE else replace(progress, word="")

    def _end(self, outcome: Outcome, cause: Cause, progress: Progress) -> None:
        if progress.state is State.UNDONE:
            raise Ended(outcome, cause)
        word = f" ({progress.word})" if progress.word else ""
        raise Ended(Outcome.FAILED, replace(cause, sentence=f"{cause.sentence} It could not be undone{word}."))


ENDED = {state for state in State if state.ended}


def not_lasting(error: CallError) -> bool:
    """Tell whether a read is repeated: after any error but one that lasts."""
    return not error.lasts
