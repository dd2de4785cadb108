"""The lease: one deployment at a time. It is an object in the bucket of receipts, written on condition; it runs out."""

from __future__ import annotations

import json
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from delivery.aws.client import AwsError, Conflict
from delivery.deployment.outcomes import Cause, Ended, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from delivery.aws.client import Aws, Json
    from delivery.deployment.cancellation import Waiting

KEY = "lease.json"
TRIES = 5  # of a write that others, or its own lost answers, come between


class Lost(Exception):  # noqa: N818 -- somebody else's right
    """The lease ran out, and somebody else has it."""


class Lease:
    """A lease on a project's service. `who` is shown to those who must wait; it ends `seconds` after its last renewal.

    It is not deleted at the end but handed back, so that whoever deploys needs no right to delete. Two clocks that are
    minutes apart would make it end too soon, but AWS refuses calls from such clocks.
    """

    def __init__(self, aws: Aws, bucket: str, folder: Path, who: str, seconds: float) -> None:
        self._aws, self._bucket, self._path = aws, bucket, folder / KEY
        self._who, self._seconds, self._id = who, seconds, uuid.uuid4().hex
        self._tag: str | None = None
        self._since: datetime | None = None
        self._renewed = 0.0
        self.goes_on = False  # whether what it is held for goes to its end even when it is lost

    @contextmanager
    def held(self, waiting: Waiting, patience: float) -> Iterator[None]:
        """Hold the lease: renew it in each of `waiting`'s looks, and hand it back at the end, whatever ends it.

        While somebody else has it, wait up to `patience` seconds. Raises Ended, refused, when they have it still.
        """
        for passed in waiting.looks(patience):
            holder = self._take()
            if holder is None:
                break
            if passed >= patience:
                raise Ended(Outcome.REFUSED, _taken(holder))

        def keep(heed: bool) -> None:
            try:
                self.renew()
            except Lost:
                waiting.meanwhile = lambda _: None
                if heed and not self.goes_on:
                    raise
                click.secho(
                    "The lease ran out, and somebody else has it; this goes on to its end.", fg="yellow", err=True
                )

        waiting.meanwhile = keep
        try:
            yield
        finally:
            waiting.meanwhile = lambda _: None
            self._hand_back()

    def renew(self, *, now: bool = False) -> None:
        """Renew the lease when a third of its time has passed, or now. Raises Lost when somebody else has it."""
        if not now and time.monotonic() - self._renewed < self._seconds / 3:
            return
        try:
            self._write(self._who, self._tag, quiet=True)
        except Conflict:
            raise Lost from None
        except AwsError as error:
            if now or not error.may_pass:  # else the next look tries again
                raise

    def _take(self) -> Json | None:
        """Take the lease if it is free, and return None; else return what its holder wrote."""
        found = None
        for _ in range(TRIES):
            found = self._aws.stored(self._bucket, KEY)
            if found and found[0]["holder"]:
                if _left(found[0]) > 0:
                    return found[0]
                click.echo(f"The lease of {found[0]['holder']} ran out at {found[0]['until']}; taking it over.")
            try:
                self._write(self._who, found[1] if found else None)
            except Conflict:
                continue
            return None
        return found[0] if found else {"holder": "Somebody else", "since": "just now", "until": "now"}

    def _write(self, holder: str | None, instead_of: str | None, *, quiet: bool = False) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        self._since = self._since or now
        lease = {
            "holder": holder,
            "id": self._id,
            "since": _written(self._since),
            "until": _written(now + timedelta(seconds=self._seconds)),
        }
        self._path.write_text(json.dumps(lease) + "\n", encoding="utf-8")
        self._tag = self._store(lease, instead_of, quiet=quiet)
        self._renewed = time.monotonic()

    def _store(self, lease: Json, instead_of: str | None, *, quiet: bool) -> str:
        """Store what is in the file in the place of a version, and return its tag. Raises Conflict and AwsError.

        The CLI makes a call again whose answer was lost, and the second one is refused for the first one's sake: what
        is there is read before a refusal is believed.
        """
        for left in reversed(range(TRIES)):
            try:
                return self._aws.store(self._bucket, KEY, self._path, instead_of=instead_of, quiet=quiet)
            except Conflict:
                pass
            except AwsError as error:
                if not (error.may_be_done and left):
                    raise
            found = self._aws.stored(self._bucket, KEY, quiet=quiet)
            if found and found[0] == lease:
                return found[1]
            tag = found[1] if found else None
            if tag != instead_of and not (found and found[0]["id"] == self._id):
                break
            instead_of = tag
        raise Conflict

    def _hand_back(self) -> None:
        try:
            self._write(None, self._tag)
        except Conflict:
            click.secho("The lease ran out meanwhile, and somebody else has it.", fg="yellow", err=True)
        except AwsError as error:
            click.secho(
                f"The lease could not be handed back ({error.message}); it ends within {self._seconds:.0f} s.",
                fg="yellow",
                err=True,
            )


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _left(lease: Json) -> float:
    return (datetime.fromisoformat(lease["until"]) - datetime.now(UTC)).total_seconds()


def _taken(lease: Json) -> Cause:
    return Cause(
        "lease-held",
        f"{lease['holder']} is deploying, since {lease.get('since')}, and has the lease until {lease['until']}.",
        change="nothing: run this again when they are done, or with --wait; a lease that nobody renews ends by itself.",
    )
