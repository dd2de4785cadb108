"""A rollout to its end, whichever that is: live and proven, or what ran before is back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from . import diagnosis, proof, rolloutview, situation, taskdefinition
from .cancellation import Cancelled
from .outcomes import Cause, Ended, Outcome
from .rollout import ENDED, UNDOING, Rollout

if TYPE_CHECKING:
    from .availability import Meter
    from .aws import Json
    from .diagnosis import Evidence
    from .display import Display
    from .receipts import Receipt
    from .situation import Place, Situation


class Rolling:
    """The part of a deployment in which the service changes. `before` is how things were."""

    def __init__(self, place: Place, before: Situation, display: Display, meter: Meter, receipt: Receipt) -> None:
        self._place, self._before, self._display, self._meter, self._receipt = place, before, display, meter, receipt
        self._limit = place.settings.rollout

    def roll(self, definition: Json, desired: int | None) -> None:
        """Roll a task definition out, and return once ECS says that it is.

        Raises Ended when it does not come to that, after what was before is back, or could not be brought back.
        """
        self._display.step("Rollout")
        rollout = Rollout(self._place, definition, _arns(self._before.deployments))
        rollout.begin(desired)
        self._receipt.facts["deployment"] = rollout.arn
        # Before a first release there is nothing to go back to; ECS would try, with an image that never was.
        until = ENDED | UNDOING if self._before.idle else ENDED
        outcome, cause = Outcome.ROLLED_BACK, None
        try:
            if rollout.follow(self._limit, self._tell, until=until) not in until:
                outcome = Outcome.TIMED_OUT
        except Cancelled as cancelled:
            outcome = Outcome.CANCELLED
            cause = Cause("cancelled", f"Cancelled by {cancelled} during the rollout.")
        if rollout.status == "SUCCESSFUL":
            return
        cause = cause or diagnosis.of_rollout(rollout.gather())
        if outcome is Outcome.TIMED_OUT:
            cause = replace(cause, sentence=f"Not done after {self._limit:.0f} s. {cause.sentence}")
        whole = self._undo(rollout)
        if rollout.status == "SUCCESSFUL" and not self._before.idle:
            self._display.line("It was done before it could be undone.", "yellow")
            return
        if rollout.status == "STOPPED" and not self._before.idle and rollout.gather().successor:
            raise Ended(Outcome.SUPERSEDED, diagnosis.of_rollout(rollout.evidence))
        self._end(outcome, cause, rollout.status, whole=whole)

    def prove(self, definition: Json, commit: str, digest: str) -> None:
        """Prove that visitors are served what was rolled out. Raises Ended, after what was before is back.

        It is too late to cancel this: going back would take longer.
        """
        self._display.step("Proof")
        url = self._before.site_url or ""
        try:
            self._receipt.facts["proof"] = proof.prove(self._place, url, commit, digest, heed=False)
        except proof.Unproven as unproven:
            now = situation.service(self._place) or {}
            if now.get("taskDefinition") != definition["taskDefinitionArn"]:
                successor = situation.deployments(self._place)[0]
                raise Ended(Outcome.SUPERSEDED, diagnosis.of_rollout(diagnosis.Evidence(successor=successor))) from None
            whole = self._go_back()
            self._end(Outcome.ROLLED_BACK, unproven.cause, "not undone", whole=whole)

    def _undo(self, rollout: Rollout) -> bool:
        """Have what was before, and tell whether it is back."""
        if self._before.idle:
            return self._go_back()
        if rollout.status not in ENDED:
            self._display.line("Asking ECS to undo it.", "yellow")
            rollout.stop()
            rollout.follow(self._limit, self._tell, heed=False)
        return rollout.status == "ROLLBACK_SUCCESSFUL"

    def _go_back(self) -> bool:
        """Deploy what was before, or nothing where nothing was, and tell whether that is done."""
        definition = self._before.definition
        what = "no task" if self._before.idle else taskdefinition.revision(definition["taskDefinitionArn"])
        self._display.line(f"Going back to {what}.", "yellow")
        back = Rollout(self._place, definition, _arns(situation.deployments(self._place)))
        back.begin(0 if self._before.idle else None)
        return back.follow(self._limit, self._tell, heed=False) == "SUCCESSFUL"

    def _end(self, outcome: Outcome, cause: Cause, status: str, *, whole: bool) -> None:
        if not whole:
            raise Ended(
                Outcome.FAILED, replace(cause, sentence=f"{cause.sentence} And it could not be undone ({status}).")
            )
        raise Ended(outcome, cause)

    def _tell(self, evidence: Evidence) -> None:
        tally = self._meter.tally()
        self._display.block(rolloutview.lines(evidence), tally.text() if tally else "")


def _arns(deployments: list[Json]) -> set[str]:
    return {each["serviceDeploymentArn"] for each in deployments}
