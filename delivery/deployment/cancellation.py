"""Signals end a deployment only where it leaves the target whole; polling, which heeds them."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, TypeVar

from delivery.deployment.errors import CallError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

Answer = TypeVar("Answer")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SLICE = 0.1  # seconds; the longest delay before a wait notices a signal
PERSISTING = 60.0  # seconds for which a call is repeated that may succeed later


class Cancelled(Exception):
    """A signal requested the end. The message names it."""


class Cancellation:
    """Records Ctrl-C, SIGTERM and SIGHUP while it is entered, and raises nothing by itself.

    `check` raises Cancelled for them, once: what then puts things right is not cancelled in its turn.
    """

    def __init__(self) -> None:
        self.requested: str | None = None
        self._raised = False

    def __enter__(self) -> Cancellation:
        self._before = {number: signal.signal(number, self._record) for number in SIGNALS}
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _record(self, number: int, _frame: FrameType | None) -> None:
        message = b"Already stopping; please wait.\n"
        if self.requested is None:
            self.requested = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
            message = f"{self.requested}: stopping at the next safe point.\n".encode()
        os.write(2, message)  # a print could be in the middle of another

    def check(self) -> None:
        """Raise Cancelled if a signal came and Cancelled was not raised for it before."""
        if self.requested and not self._raised:
            self._raised = True
            raise Cancelled(self.requested)


class Poller:
    """Polls a target. `meanwhile` is called before each poll with whether it may end the wait."""

    def __init__(self, interval: float, cancellation: Cancellation) -> None:
        self.interval, self.cancellation = interval, cancellation
        self.meanwhile: Callable[[bool], None] = lambda _: None

    def polls(self, seconds: float, *, every: float | None = None, cancellable: bool = True) -> Iterator[float]:
        """Yield the seconds since the first poll, at each poll, until `seconds` have passed.

        Polls are `interval` seconds apart, or `every` seconds. Raises Cancelled if `cancellable`, and whatever
        `meanwhile` raises.
        """
        began = time.monotonic()
        while True:
            if cancellable:
                self.cancellation.check()
            self.meanwhile(cancellable)
            passed = time.monotonic() - began
            yield passed
            if passed >= seconds:
                return
            until = time.monotonic() + (self.interval if every is None else every)
            while (left := until - time.monotonic()) > 0:
                if cancellable:
                    self.cancellation.check()
                time.sleep(min(left, SLICE))

    def until_answered(
        self, call: Callable[[], Answer], *, repeat: Callable[[CallError], bool] | None = None
    ) -> Answer:
        """Return the answer to a call that does no harm when it is made twice.

        Repeats it for a minute while it fails with an error that may pass, or that `repeat` accepts. Not cancellable.
        Raises CallError.
        """
        for passed in self.polls(PERSISTING, cancellable=False):
            try:
                return call()
            except CallError as error:
                again = error.may_pass or (repeat is not None and repeat(error))
                if not again or passed >= PERSISTING:
                    raise
        raise AssertionError  # the last poll returns or raises
