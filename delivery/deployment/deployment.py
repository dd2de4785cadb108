"""A deployment from its lock to its receipt. `deploy` and `rollback` differ only in their candidate."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from delivery.deployment import preflight
from delivery.deployment.availability import Meter
from delivery.deployment.cancellation import Cancelled
from delivery.deployment.errors import CallError, Refusal
from delivery.deployment.lock import Lock, Lost
from delivery.deployment.outcomes import Cause, Ended, Outcome, unchanged
from delivery.deployment.proof import Proof
from delivery.deployment.receipts import Receipt
from delivery.deployment.rollout import Rollout

if TYPE_CHECKING:
    from pathlib import Path

    from delivery.deployment.cancellation import Poller
    from delivery.deployment.seam import Candidate, Revision
    from delivery.settings import Settings
    from delivery.terminal.display import Display


class Deployment:
    """One deployment of a candidate. `tasks` is the number to run, None for as many as now.

    `folder` is where its files are left for people to read.
    """

    def __init__(
        self,
        candidate: Candidate,
        poller: Poller,
        settings: Settings,
        folder: Path,
        display: Display,
        *,
        tasks: int | None = None,
        force: bool = False,
    ) -> None:
        self._candidate, self._target, self._running = candidate, candidate.target, candidate.target.running
        self._poller, self._settings, self._folder, self._display = poller, settings, folder, display
        self._tasks, self._force = tasks, force
        self._rollout: Rollout | None = None
        self._receipt = Receipt(candidate)
        self._lock = Lock(candidate.target.store, folder, candidate.pipeline.user, settings.lock)

    def run(self, timeout: float) -> None:
        """Deploy. Waits up to `timeout` seconds for the lock. Raises Ended unless the release goes live."""
        try:
            with self._poller.cancellation, self._lock.held(self._poller, timeout):
                self._run()
        except Cancelled as cancelled:
            raise Ended(Outcome.CANCELLED, _cancelled(cancelled)) from None
        except CallError as error:
            raise unchanged(error.cause, self._target.changes, may_pass=error.may_pass) from None

    def _run(self) -> None:
        """Go through the steps and write the receipt."""
        try:
            if not self._steps():
                return
        except Ended as ended:
            end = ended
        except Cancelled as cancelled:
            end = Ended(Outcome.CANCELLED, _cancelled(cancelled))
        except Lost:
            lost = "Another deployment took the lock over before the service was changed."
            end = Ended(Outcome.REFUSED, Cause("lock-lost", lost, (), "`make status` shows that deployment."))
        except click.ClickException as error:
            cause = error.cause if isinstance(error, CallError) else Cause("error", error.message)
            may_pass = isinstance(error, CallError) and error.may_pass
            begun = self._rollout and self._rollout.begun
            end = Ended(Outcome.FAILED, cause) if begun else unchanged(cause, self._target.changes, may_pass=may_pass)
        else:
            self._write_receipt(Outcome.LIVE, None)
            return
        self._write_receipt(end.outcome, end.cause)
        raise end

    def _write_receipt(self, outcome: Outcome, cause: Cause | None) -> None:
        try:
            key = self._receipt.write(outcome, cause, self._folder, self._poller)
        except CallError as error:
            why = error.cause
            if outcome is Outcome.LIVE:
                sentence = f"The release is live and proven, but no receipt could be written: {why.sentence}"
                raise Ended(Outcome.FAILED, replace(why, sentence=sentence)) from None
            click.secho(f"No receipt could be written: {why.sentence}", fg="yellow", err=True)
        else:
            self._display.line(f"receipt: {key}")

    def _steps(self) -> bool:
        """Go through the steps. Returns whether there was anything to do. Raises Ended, Cancelled, Lost, CallError."""
        now, candidate, facts = self._running, self._candidate, self._receipt.facts
        with self._receipt.timed("preflight"):
            self._preflight()
        image = candidate.image
        facts |= {"digest": image.digest, "image": candidate.name, "previous": None}
        if now.image:
            facts["previous"] = {"commit": now.commit, "digest": now.digest}
        if self._runs_already():
            if now.recorded == candidate.name:
                self._display.line("Nothing to do: this commit is live and proven. --force deploys it again.", "green")
                return False
        else:
            self._poller.cancellation.check()
            revision = self._prepare()
            self._poller.cancellation.check()
            self._ready(revision)
            with Meter(None if now.idle else now.url, self._settings.visit) as meter:
                try:
                    self._roll_out(revision, meter)
                finally:
                    tally = meter.tally()
                    facts["availability"] = tally.as_json() if tally else None
                    if tally:
                        self._display.line(tally.text(), "red" if tally.failed else None)
        self._record()
        self._display.line(f"Live: {now.url} serves {candidate.commit}.", "green")
        return True

    def _preflight(self) -> None:
        self._display.step("Preflight")
        checks = preflight.run(
            self._candidate,
            self._poller.cancellation,
            lambda check: self._display.check(check.name, check.verdict, check.found),
        )
        causes = [check.cause for check in checks if check.cause]
        if not causes:
            return
        cause = causes[0]
        # One cause, such as credentials that expired, can fail many checks, each with evidence of its own.
        sentences = tuple(dict.fromkeys(each.sentence for each in causes))
        if len(sentences) > 1:
            change = " ".join(dict.fromkeys(each.change for each in causes if each.change))
            cause = Cause("preflight", f"{len(causes)} checks failed.", sentences, change)
        may_pass = all(check.may_pass for check in checks if check.cause)
        raise unchanged(cause, self._target.changes, may_pass=may_pass)

    def _runs_already(self) -> bool:
        """Tell whether the candidate runs already, and is proven anew."""
        if self._force or self._running.idle or self._running.image != self._candidate.name:
            return False
        self._display.step("Proof (it runs already)")
        try:
            with self._receipt.timed("proof"):
                self._receipt.facts["proof"] = self._proof().require(cancellable=True)
        except Refusal as refusal:
            self._display.line(f"{refusal} Deploying it again.", "yellow")
            return False
        return True

    def _prepare(self) -> Revision:
        """Have the registry keep the image, and register the revision that is to be rolled out."""
        self._display.step("Revision")
        self._target.registry.keep(self._candidate.image, self._candidate.commit)
        self._poller.cancellation.check()
        revision: Revision = self._target.prepare(self._candidate.image)
        for line in revision.difference:
            self._display.line(f"  {line}")
        self._receipt.facts["revision"] = revision.id
        return revision

    def _ready(self, revision: Revision) -> None:
        """Migrate the database, but for a rollback. Raises Ended and Cancelled."""
        if not self._candidate.rollback:
            self._migrate(revision)

    def _migrate(self, revision: Revision) -> None:
        self._display.step("Migrations")
        with self._receipt.timed("migration"):
            self._receipt.facts["migration"] = self._target.migrate(revision)

    def _roll_out(self, revision: Revision, meter: Meter) -> None:
        """Roll the revision out and put it to the gates. Raises Ended, Cancelled, Lost and CallError."""
        rollout = self._rollout = Rollout(
            self._target, self._poller, self._settings, self._display, meter, self._receipt
        )
        # From here to the call nothing may take long: this is what keeps two deployments apart.
        self._lock.renew(now=True)
        self._poller.cancellation.check()
        self._lock.may_be_lost = True
        tasks = self._tasks
        if tasks is None and self._running.idle:
            tasks = self._target.first_tasks()
        with self._receipt.timed("rollout"):
            rollout.complete(revision, tasks)
        with self._receipt.timed("proof"):
            rollout.require(revision, self._proof())
        with self._receipt.timed("bake"):
            rollout.bake()

    def _proof(self) -> Proof:
        return Proof(self._candidate, self._poller, self._settings)

    def _record(self) -> None:
        """Record the image as the released one. Raises Ended when that fails of one that is live and proven."""
        try:
            self._poller.until_answered(lambda: self._target.record(self._candidate.image))
        except CallError as error:
            sentence = f"The release is live and proven, but it could not be recorded: {error.cause.sentence}"
            raise Ended(Outcome.FAILED, replace(error.cause, sentence=sentence)) from None


def _cancelled(cancelled: Cancelled) -> Cause:
    return Cause("cancelled", f"Cancelled by {cancelled} before the service was changed.")
