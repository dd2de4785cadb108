"""The lock that lets one deployment, or one change of the stacks, run at a time: an object that expires."""

from __future__ import annotations

import json
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from delivery.deployment.errors import CallError, Conflict
from delivery.deployment.outcomes import Cause, Ended, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from delivery.deployment.cancellation import Poller
    from delivery.deployment.seam import Json, Store

# Earlier versions of this lock call their object so, and the two must exclude each other.
KEY = "lease.json"
TRIES = 5  # of a write that conflicts with other writers, or with its own lost answers


class Lost(Exception):
    """The lock expired, and another deployment has it."""


class Lock:
    """A lock on a target. `holder` is shown to those who wait; it expires `seconds` after it was renewed last.

    It is not deleted at the end but released by a write, so that a deployment needs no right to delete. Two clocks that
    are minutes apart would make it expire too soon; targets refuse calls from such clocks.
    """

    def __init__(self, store: Store, folder: Path, holder: str, seconds: float) -> None:
        self._store, self._path = store, folder / "lock.json"
        self._holder, self._seconds, self._id = holder, seconds, uuid.uuid4().hex
        self._version: str | None = None
        self._since: datetime | None = None
        self._renewed = 0.0
        self.may_be_lost = False  # set once the deployment must reach its end even without the lock

    @contextmanager
    def held(self, poller: Poller, timeout: float) -> Iterator[None]:
        """Hold the lock: renew it at each poll of `poller`, and release it at the end.

        Waits up to `timeout` seconds for another deployment that has it. Raises Ended, refused, when that has it still.
        """
        for passed in poller.polls(timeout):
            holder = self._acquire()
            if holder is None:
                break
            if passed >= timeout:
                raise Ended(Outcome.REFUSED, _held(holder))

        def keep(cancellable: bool) -> None:
            try:
                self.renew()
            except Lost:
                poller.meanwhile = lambda _: None
                if cancellable and not self.may_be_lost:
                    raise
                _warn("The lock expired and another deployment took it; this one continues to its end.")

        poller.meanwhile = keep
        try:
            yield
        finally:
            poller.meanwhile = lambda _: None
            self._release()

    def renew(self, *, now: bool = False) -> None:
        """Renew the lock if a third of its time has passed, or `now`. Raises Lost and CallError."""
        if not now and time.monotonic() - self._renewed < self._seconds / 3:
            return
        try:
            self._write(self._holder, self._version, quiet=True)
        except Conflict:
            raise Lost from None
        except CallError as error:
            if now or not error.may_pass:  # else the next poll tries again
                raise

    def _acquire(self) -> Json | None:
        """Take the lock if it is free and return None; else return what its holder wrote."""
        found = None
        for _ in range(TRIES):
            found = self._store.read(KEY)
            if found and found[0]["holder"]:
                if _left(found[0]) > 0:
                    return found[0]
                click.echo(f"The lock of {found[0]['holder']} expired at {found[0]['until']}; taking it over.")
            try:
                self._write(self._holder, found[1] if found else None)
            except Conflict:
                continue
            return None
        return found[0] if found else {"holder": "Another deployment", "since": "just now", "until": "now"}

    def _write(self, holder: str | None, instead_of: str | None, *, quiet: bool = False) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        self._since = self._since or now
        lock = {
            "holder": holder,
            "id": self._id,
            "since": _written(self._since),
            "until": _written(now + timedelta(seconds=self._seconds)),
        }
        self._path.write_text(json.dumps(lock) + "\n", encoding="utf-8")
        self._version = self._put(lock, instead_of, quiet=quiet)
        self._renewed = time.monotonic()

    def _put(self, lock: Json, instead_of: str | None, *, quiet: bool) -> str:
        """Store the file in the place of a version and return its own. Raises Conflict and CallError.

        A call whose answer was lost may have been repeated, and the second one refused because of the first: a refusal
        counts only after the stored object was read.
        """
        for left in reversed(range(TRIES)):
            try:
                return self._store.write(KEY, self._path, instead_of=instead_of, quiet=quiet)
            except Conflict:
                pass
            except CallError as error:
                if not (error.may_be_done and left):
                    raise
            found = self._store.read(KEY, quiet=quiet)
            if found and found[0] == lock:
                return found[1]
            version = found[1] if found else None
            if version != instead_of and not (found and found[0]["id"] == self._id):
                break
            instead_of = version
        raise Conflict

    def _release(self) -> None:
        try:
            self._write(None, self._version)
        except Conflict:
            _warn("The lock expired, and another deployment has taken it.")
        except CallError as error:
            _warn(f"The lock could not be released ({error.message}); it expires within {self._seconds:.0f} s.")


def _warn(text: str) -> None:
    click.secho(text, fg="yellow", err=True)


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _left(lock: Json) -> float:
    return (datetime.fromisoformat(lock["until"]) - datetime.now(UTC)).total_seconds()


def _held(lock: Json) -> Cause:
    return Cause(
        "lock-held",
        f"{lock['holder']} has held the lock since {lock.get('since')}, and holds it until {lock['until']}.",
        change="run this again when that has ended, or with --wait; a lock that is not renewed expires by itself.",
    )
