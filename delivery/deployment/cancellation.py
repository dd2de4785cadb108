"""A signal asks a deployment to stop; it does so where it leaves things whole, and nowhere else."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, TypeVar

from delivery.aws.client import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

Answer = TypeVar("Answer")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SLICE = 0.1  # seconds; how late a signal may be noticed in a wait
PERSISTING = 60.0  # seconds for a call to be made again that may succeed later


class Cancelled(Exception):  # noqa: N818 -- somebody's wish, no mistake
    """Somebody asked to stop. The message says how."""


class Cancellation:
    """While it is entered, Ctrl-C, SIGTERM and SIGHUP are noted, and raise nothing by themselves.

    `check` raises Cancelled for them, once: what then puts things right is not cancelled in its turn.
    """

    def __init__(self) -> None:
        self.asked: str | None = None
        self._heeded = False

    def __enter__(self) -> Cancellation:
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        said = b"This is being stopped already; wait for it to end whole.\n"
        if self.asked is None:
            self.asked = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
            said = f"{self.asked}: stopping where it leaves the service whole.\n".encode()
        os.write(2, said)  # a print could be in the middle of another

    def check(self) -> None:
        """Raise Cancelled when somebody asked to stop, and nothing has heeded it yet."""
        if self.asked and not self._heeded:
            self._heeded = True
            raise Cancelled(self.asked)


class Waiting:
    """Waiting for AWS, a look at a time. `meanwhile` is called before each, told whether it may end the wait."""

    def __init__(self, poll: float, cancellation: Cancellation) -> None:
        self.poll, self.cancellation = poll, cancellation
        self.meanwhile: Callable[[bool], None] = lambda _: None

    def looks(self, seconds: float, *, every: float | None = None, heed: bool = True) -> Iterator[float]:
        """Yield the seconds since the first look, at each look, until so many have passed.

        The looks are `poll` seconds apart, or `every` seconds. Raises Cancelled when `heed` and somebody asked to stop,
        and what `meanwhile` raises.
        """
        began = time.monotonic()
        while True:
            if heed:
                self.cancellation.check()
            self.meanwhile(heed)
            passed = time.monotonic() - began
            yield passed
            if passed >= seconds:
                return
            until = time.monotonic() + (self.poll if every is None else every)
            while (left := until - time.monotonic()) > 0:
                if heed:
                    self.cancellation.check()
                time.sleep(min(left, SLICE))

    def until_answered(self, ask: Callable[[], Answer], *, repeat: Callable[[AwsError], bool] | None = None) -> Answer:
        """Return what a call answers that does no harm when it is made twice.

        For a minute it is made again while it fails by what may pass, or by what `repeat` says. No cancellation is
        heeded meanwhile. Raises AwsError.
        """
        for passed in self.looks(PERSISTING, heed=False):
            try:
                return ask()
            except AwsError as error:
                again = error.may_pass or (repeat is not None and repeat(error))
                if not again or passed >= PERSISTING:
                    raise
        raise AssertionError  # the last look returns or raises
