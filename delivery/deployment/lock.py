"""The lock that lets one deployment, or change of the stacks, run at a time: an object, taken over when not renewed."""

from __future__ import annotations

import json
import math
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from delivery.deployment.errors import CallError, Conflict
from delivery.deployment.outcomes import Cause, Ended, Outcome
from delivery.terminal.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from delivery.deployment.cancellation import Poller
    from delivery.deployment.seam import Json, Store

# Earlier versions of this lock call their object so, and the two must exclude each other.
KEY = "lease.json"
TRIES = 5  # of a write that conflicts with other writers, or with its own lost answers


class Lost(Exception):
    """The lock was not renewed in time, and another deployment has it."""


class Lock:
    """A lock on a target. `holder` is shown to those who wait; it is renewed at least each third of `seconds`.

    Another deployment takes it over once it has seen it unchanged for as long as its holder wrote, by a clock that only
    counts seconds: two machines' times of day can be minutes apart, and targets take calls from both. It is not deleted
    at the end but released by a write, so that a deployment needs no right to delete.
    """

    def __init__(self, store: Store, folder: Path, holder: str, seconds: float) -> None:
        self._store, self._path = store, folder / "lock.json"
        self._holder, self._seconds, self._id = holder, seconds, uuid.uuid4().hex
        self._version: str | None = None
        self._since: datetime | None = None
        self._renewed = 0.0
        self._writes = 0
        self._seen: tuple[str, float] = "", 0.0  # the version of another deployment's lock, and since when
        self._watched: str | None = None  # the version that is waited for without being told to
        self.may_be_lost = False  # set once the deployment must reach its end even without the lock

    @contextmanager
    def held(self, poller: Poller, timeout: float) -> Iterator[None]:
        """Hold the lock: renew it at each poll of `poller`, and release it at the end.

        Waits up to `timeout` seconds for another deployment that has it, and longer where its time seems to be over:
        until it is renewed or taken over. Raises Ended, refused, when the other deployment has it still.
        """
        for passed in poller.polls(math.inf):
            lock = self._acquire()
            if lock is None:
                break
            if passed >= timeout and not self._watches(lock):
                raise Ended(Outcome.REFUSED, _held(lock))

        def keep(cancellable: bool) -> None:
            try:
                self.renew()
            except Lost:
                poller.meanwhile = lambda _: None
                if cancellable and not self.may_be_lost:
                    raise
                _warn("Another deployment took the lock over; this one continues to its end.")

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
        """Take the lock if it is free or no longer renewed, and return None; else return what its holder wrote."""
        for _ in range(TRIES):
            found = self._store.read(KEY)
            if found and found[0]["holder"] and not self._abandoned(*found):
                return found[0]
            try:
                self._write(self._holder, found[1] if found else None)
            except Conflict:
                continue
            return None
        now = _written(datetime.now(UTC))
        return {"holder": "Another deployment", "since": now, "until": now}

    def _abandoned(self, lock: Json, version: str) -> bool:
        """Tell whether a lock has been seen unchanged for its length."""
        if version != self._seen[0]:
            self._seen = version, time.monotonic()
        unchanged = time.monotonic() - self._seen[1]
        if unchanged < self._length(lock):
            return False
        click.echo(f"{plain(lock['holder'])} has not renewed the lock for {unchanged:.0f} s; taking it over.")
        return True

    def _length(self, lock: Json) -> float:
        return float(lock.get("seconds", self._seconds))  # earlier versions did not write it

    def _watches(self, lock: Json) -> bool:
        """Tell whether to wait, untold, until a lock is renewed or taken over: one whose time seems to be over."""
        if self._watched is None and datetime.fromisoformat(lock["until"]) <= datetime.now(UTC):
            self._watched = self._seen[0]
            click.echo(
                f"The lock of {plain(lock['holder'])} expired at {lock['until']} by this machine's clock; "
                f"taking it over unless it is renewed within {self._length(lock):.0f} s."
            )
        return self._watched == self._seen[0]

    def _write(self, holder: str | None, instead_of: str | None, *, quiet: bool = False) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        self._since = self._since or now
        self._writes += 1
        lock = {
            "holder": holder,
            "id": self._id,
            "since": _written(self._since),
            "until": _written(now + timedelta(seconds=self._seconds)),
            "seconds": self._seconds,
            # Makes each renewal a new version, even by a clock that was set back.
            "writes": self._writes,
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
            _warn("Another deployment has taken the lock over.")
        except CallError as error:
            _warn(
                f"The lock could not be released ({error.message}); the next deployment waits {self._seconds:.0f} s "
                "and takes it over."
            )


def _warn(text: str) -> None:
    click.secho(plain(text), fg="yellow", err=True)


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _held(lock: Json) -> Cause:
    return Cause(
        "lock-held",
        f"{lock['holder']} has held the lock since {lock['since']}, and holds it until {lock['until']}.",
        change="run this again when that has ended, or with --wait; a lock that is no longer renewed is taken over.",
    )
