"""Errors of a measurement, which end its program with one sentence."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

USAGE_ERROR = 2


class BenchError(RuntimeError):
    """The measurement would not mean what it says. The message is one sentence."""


class ToolMissingError(RuntimeError):
    """This machine lacks something that the measurement needs. The message is one sentence that names it."""


def say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


def exit_code(measure: Callable[[], None]) -> int:
    """Measure, and return the program's exit code. Whatever ends it goes through every `with`, so no server is left."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        measure()
    except ToolMissingError as error:
        say(f"bench: {error}")
        return USAGE_ERROR
    except (BenchError, OSError) as error:
        say(f"bench: {error}")
        return 1
    except KeyboardInterrupt:
        say("\nbench: interrupted; every server is ended.")
        return 128 + signal.SIGINT
    return 0


def _stop(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
