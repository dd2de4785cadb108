"""Waiting for what others' work decides: for as long as they are at it, as a slow machine is no fault."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 300.0  # seconds, after which what is waited for hangs


def until(true: Callable[[], Any], alive: Callable[[], bool] = lambda: True) -> Any:
    """Ask again and again until the answer is true, and return it.

    Returns the last answer when `alive` is not true any more, or takes longer than LONGEST.
    """
    end = time.monotonic() + LONGEST
    while not (answer := true()) and alive() and time.monotonic() < end:
        time.sleep(0.05)
    return answer
