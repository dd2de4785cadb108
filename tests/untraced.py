"""Work that is left out of the coverage, as tracing it costs as much as the work."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def untraced() -> Iterator[None]:
    """Trace nothing of this thread meanwhile.

    Not by pytest-cov's `no_cover`: in the processes of pytest-xdist, another tracer takes over from the one it stops.
    """
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)
