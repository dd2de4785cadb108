"""A deployment from its lease to its receipt. `deploy` and `rollback` differ only in what they want."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from delivery.aws.client import AwsError
from delivery.aws.ecs import diagnosis, migration, revision, task_definition
from delivery.aws.ecs import service as situation
from delivery.deployment import preflight, proof, receipts
from delivery.deployment.availability import Meter
from delivery.deployment.cancellation import Cancelled
from delivery.deployment.lock import Lease, Lost
from delivery.deployment.outcomes import Cause, Ended, Outcome
from delivery.deployment.receipts import Receipt
from delivery.deployment.rollout import Rollout

if TYPE_CHECKING:
    from delivery.aws.client import Json
    from delivery.aws.ecs.service import Place
    from delivery.deployment.candidate import Wanted
    from delivery.terminal.display import Display


class Deployment:
    """One deployment of what is wanted. `desired` is a number of tasks, None for as many as there are."""

    def __init__(self, place: Place, wanted: Wanted, display: Display, *, desired: int | None, force: bool) -> None:
        self._place, self._wanted, self._display = place, wanted, display
        self._desired, self._force = desired, force
        self._rollout: Rollout | None = None
        self._receipt = Receipt("rollback" if wanted.back else "deploy", wanted.commit, place)
        self._lease = Lease(place.aws, place.names.bucket, place.folder, receipts.who(), place.settings.lease)

    def run(self, patience: float) -> None:
        """Deploy, waiting up to `patience` seconds for whoever deploys already. Raises Ended for any end but live."""
        try:
            with self._place.waiting.cancellation, self._lease.held(self._place.waiting, patience):
                self._run()
        except Cancelled as cancelled:
            raise Ended(Outcome.CANCELLED, _cancelled(cancelled)) from None
        except AwsError as error:
            raise Ended(Outcome.REFUSED, diagnosis.of_error(error)) from None

    def _run(self) -> None:
        """Go through the steps, and write down how they ended."""
        try:
            if not self._steps():
                return
        except Ended as ended:
            end = ended
        except Cancelled as cancelled:
            end = Ended(Outcome.CANCELLED, _cancelled(cancelled))
        except Lost:
            lost = "The lease ran out before the service was changed, and somebody else has it."
            end = Ended(Outcome.REFUSED, Cause("lease-lost", lost, (), "nothing: `make status` says what they do."))
        except click.ClickException as error:
            cause = diagnosis.of_error(error) if isinstance(error, AwsError) else Cause("error", error.message)
            end = Ended(Outcome.FAILED if self._rollout and self._rollout.begun else Outcome.REFUSED, cause)
        else:
            self._write_down(Outcome.LIVE, None)
            return
        self._write_down(end.outcome, end.cause)
        raise end

    def _write_down(self, outcome: Outcome, cause: Cause | None) -> None:
        try:
            key = self._receipt.write(outcome, cause)
        except AwsError as error:
            why = diagnosis.of_error(error)
            if outcome is Outcome.LIVE:
                sentence = f"The site serves it, and that was proven, but no receipt could be written: {why.sentence}"
                raise Ended(Outcome.FAILED, replace(why, sentence=sentence)) from None
            click.secho(f"No receipt could be written: {why.sentence}", fg="yellow", err=True)
        else:
            self._display.line(f"receipt: {key}")

    def _steps(self) -> bool:
        """Go through the steps, and tell whether there was anything to do. Raises Ended, Cancelled, Lost, AwsError."""
        now = self._wanted.situation
        with self._receipt.timed("preflight"):
            self._preflight()
        self._receipt.facts |= {
            "digest": self._wanted.digest,
            "image": self._wanted.name,
            "previous": {"commit": now.commit, "digest": task_definition.digest(now.image)} if now.image else None,
        }
        assert now.site_url is not None  # noqa: S101 -- checked by the preflight
        assert now.service is not None  # noqa: S101 -- checked by the preflight
        if self._runs_already():
            if now.released == self._wanted.name:
                self._display.line("Nothing to do: it is live, and proven. --force makes a new deployment.", "green")
                return False
        else:
            self._place.waiting.cancellation.check()
            definition = self._register()
            self._place.waiting.cancellation.check()
            if not self._wanted.back:
                self._display.step("Migrations")
                with self._receipt.timed("migration"):
                    self._receipt.facts["migration"] = migration.migrate(self._place, now.service, definition)
            with Meter(None if now.idle else now.site_url, self._place.settings.visit) as meter:
                try:
                    self._rollout = Rollout(self._place, now, self._display, meter, self._receipt)
                    self._roll(self._rollout, definition)
                finally:
                    tally = meter.tally()
                    self._receipt.facts["availability"] = tally.receipt() if tally else None
                    if tally:
                        self._display.line(tally.text(), "red" if tally.failed else None)
        self._record()
        self._display.line(f"Live: {now.site_url} serves {self._wanted.commit}.", "green")
        return True

    def _record(self) -> None:
        """Record which image is released. Raises Ended when that fails of what is live and proven."""
        try:
            self._place.waiting.until_answered(
                lambda: self._place.aws.call(
                    "ssm",
                    "put-parameter",
                    "--name",
                    self._place.names.released_image,
                    "--value",
                    self._wanted.name,
                    "--type",
                    "String",
                    "--overwrite",
                    change="the image was recorded as the released one",
                )
            )
        except AwsError as error:
            why = diagnosis.of_error(error)
            sentence = f"The site serves it, and that was proven, but it could not be recorded: {why.sentence}"
            raise Ended(Outcome.FAILED, replace(why, sentence=sentence)) from None

    def _preflight(self) -> None:
        self._display.step("Preflight")
        checks = preflight.run(self._wanted, lambda each: self._display.check(each.name, each.verdict, each.found))
        causes = list(dict.fromkeys(check.cause for check in checks if check.cause))
        if len(causes) == 1:
            raise Ended(Outcome.REFUSED, causes[0])
        if causes:
            raise Ended(
                Outcome.REFUSED,
                Cause(
                    "preflight",
                    f"{len(causes)} checks say no.",
                    tuple(cause.sentence for cause in causes),
                    " ".join(dict.fromkeys(cause.change for cause in causes if cause.change)),
                ),
            )

    def _runs_already(self) -> bool:
        """Tell whether what is wanted runs already, and proves it."""
        now = self._wanted.situation
        if self._force or now.idle or now.image != self._wanted.name:
            return False
        self._display.step("Proof, for it runs already")
        assert now.site_url is not None  # noqa: S101 -- checked by the preflight
        try:
            with self._receipt.timed("proof"):
                self._receipt.facts["proof"] = proof.prove(
                    self._place, now.site_url, self._wanted.commit, self._wanted.digest
                )
        except proof.Unproven as unproven:
            self._display.line(f"{unproven} So it is deployed again.", "yellow")
            return False
        return True

    def _register(self) -> Json:
        """Register the task definition that is to be rolled out, and return it."""
        self._display.step("Task definition")
        revision.keep(self._wanted, self._place)
        self._place.waiting.cancellation.check()
        definition = revision.register(self._wanted, self._place)
        for line in task_definition.difference(self._wanted.situation.definition, definition):
            self._display.line(f"  {line}")
        self._receipt.facts["task_definition"] = definition["taskDefinitionArn"]
        return definition

    def _roll(self, rollout: Rollout, definition: Json) -> None:
        # From here to the call nothing may take long: this is what makes sure that nobody else deploys.
        self._lease.renew(now=True)
        self._place.waiting.cancellation.check()
        self._lease.goes_on = True
        desired = self._desired
        if desired is None and self._wanted.situation.idle:
            desired = situation.minimum_tasks(self._wanted.situation.service or {})
        with self._receipt.timed("rollout"):
            rollout.to_its_end(definition, desired)
        with self._receipt.timed("proof"):
            rollout.prove(definition, self._wanted.commit, self._wanted.digest)


def _cancelled(cancelled: Cancelled) -> Cause:
    return Cause("cancelled", f"Cancelled by {cancelled} before the service was changed.")
