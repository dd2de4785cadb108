"""A rollout to its end, whichever that is: live and proven, or what ran before is back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from delivery.aws.client import AwsError
from delivery.aws.ecs import diagnosis, rollout_view, task_definition
from delivery.aws.ecs import service as situation
from delivery.aws.ecs.service_deployment import ENDED, UNDOING, ServiceDeployment
from delivery.deployment import proof
from delivery.deployment.cancellation import Cancelled
from delivery.deployment.outcomes import Cause, Ended, Outcome

if TYPE_CHECKING:
    from delivery.aws.client import Json
    from delivery.aws.ecs.diagnosis import Evidence
    from delivery.aws.ecs.service import Place, Situation
    from delivery.deployment.availability import Meter
    from delivery.deployment.receipts import Receipt
    from delivery.terminal.display import Display


class Rollout:
    """The part of a deployment in which the service changes. `before` is how things were."""

    def __init__(self, place: Place, before: Situation, display: Display, meter: Meter, receipt: Receipt) -> None:
        self._place, self._before, self._display, self._meter, self._receipt = place, before, display, meter, receipt
        self._limit = place.settings.rollout
        self._made: ServiceDeployment | None = None

    @property
    def begun(self) -> bool:
        """Whether the service may have been changed."""
        return self._made is not None and self._made.asked

    def to_its_end(self, definition: Json, desired: int | None) -> None:
        """Roll a task definition out, and return once ECS says that it is.

        Raises Ended when it does not come to that, after what was before is back, or could not be brought back.
        """
        self._display.step("Rollout")
        made = self._made = ServiceDeployment(self._place, definition, _arns(self._before.deployments))
        made.begin(desired)
        self._receipt.facts["deployment"] = made.arn
        # Before a first release there is nothing to go back to; ECS would try, with an image that never was.
        until = ENDED | UNDOING if self._before.idle else ENDED
        outcome, cause = Outcome.ROLLED_BACK, None
        try:
            if made.follow(self._limit, self._tell, until=until) not in until:
                outcome = Outcome.TIMED_OUT
        except Cancelled as cancelled:
            outcome = Outcome.CANCELLED
            cause = Cause("cancelled", f"Cancelled by {cancelled} during the rollout.")
        self._receipt.facts["deployment"] = made.arn  # which may be another one, of a call that was made twice
        if made.status == "SUCCESSFUL":
            return
        cause = cause or self._why(made)
        if outcome is Outcome.TIMED_OUT:
            cause = replace(cause, sentence=f"Not done after {self._limit:.0f} s. {cause.sentence}")
        self._require_no_successor(made)
        whole = self._undo(made)
        if made.status == "SUCCESSFUL":
            self._display.line("It was done before it could be undone.", "yellow")
            return
        self._require_no_successor(made)
        self._end(outcome, cause, made.status, whole=whole)

    def prove(self, definition: Json, commit: str, digest: str) -> None:
        """Prove that visitors are served what was rolled out. Raises Ended, after what was before is back.

        It is too late to cancel this: going back would take longer.
        """
        self._display.step("Proof")
        url = self._before.site_url or ""
        try:
            self._receipt.facts["proof"] = proof.prove(self._place, url, commit, digest, heed=False)
        except proof.Unproven as unproven:
            now = self._place.waiting.until_answered(lambda: situation.service(self._place), repeat=passes) or {}
            if now.get("taskDefinition") != definition["taskDefinitionArn"]:
                raise Ended(Outcome.SUPERSEDED, diagnosis.of_successor(self._deployments()[0])) from None
            whole = self._go_back()
            self._end(Outcome.ROLLED_BACK, unproven.cause, "not undone", whole=whole)

    def _why(self, made: ServiceDeployment) -> Cause:
        """Return why it failed, from as much as can be had: not knowing it must not keep it from being undone."""
        try:
            made.gather()
        except AwsError as error:
            click.secho(f"Not all of the evidence can be had: {error.message}", fg="yellow", err=True)
        return diagnosis.of_rollout(made.evidence)

    def _require_no_successor(self, made: ServiceDeployment) -> None:
        if made.status == "STOPPED":
            newer = [each for each in self._deployments() if made.is_before(each)]
            if newer:
                raise Ended(Outcome.SUPERSEDED, diagnosis.of_successor(newer[0]))

    def _undo(self, made: ServiceDeployment) -> bool:
        """Have what was before, and tell whether it is back."""
        if self._before.idle:
            return self._go_back()
        if made.status not in ENDED:
            self._display.line("Asking ECS to undo it.", "yellow")
            made.stop()
            made.follow(self._limit, self._tell, heed=False)
        return made.status == "ROLLBACK_SUCCESSFUL"

    def _go_back(self) -> bool:
        """Deploy what was before, or nothing where nothing was, and tell whether that is done."""
        definition = self._before.definition
        what = "no task" if self._before.idle else task_definition.revision(definition["taskDefinitionArn"])
        self._display.line(f"Going back to {what}.", "yellow")
        back = ServiceDeployment(self._place, definition, _arns(self._deployments()))
        back.begin(0 if self._before.idle else None)
        return back.follow(self._limit, self._tell, heed=False) == "SUCCESSFUL"

    def _deployments(self) -> list[Json]:
        return self._place.waiting.until_answered(lambda: situation.deployments(self._place), repeat=passes)

    def _end(self, outcome: Outcome, cause: Cause, status: str, *, whole: bool) -> None:
        if not whole:
            raise Ended(
                Outcome.FAILED, replace(cause, sentence=f"{cause.sentence} And it could not be undone ({status}).")
            )
        raise Ended(outcome, cause)

    def _tell(self, evidence: Evidence) -> None:
        tally = self._meter.tally()
        self._display.block(rollout_view.lines(evidence), tally.text() if tally else "")


def _arns(deployments: list[Json]) -> set[str]:
    return {each["serviceDeploymentArn"] for each in deployments}


def passes(error: AwsError) -> bool:
    """Tell whether a question is asked again: after any error but one that lasts."""
    return not error.lasts
