"""What was worked out once and need not be again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class LRUCache(Generic[T]):
    """Answers by what was key, the least recently key for forgotten first; safe to share between threads.

    Whoever asks puts the name of the catalogue's state into the question. Such a name is random and never comes again,
    so nothing here can be stale, whichever process made a change.
    """

    def __init__(self, size: int, weigh: Callable[[T], int] = lambda _: 1) -> None:
        """Keep answers up to a size: their number, or the sum of what `weigh` says of each."""
        self._known: OrderedDict[Hashable, T] = OrderedDict()
        self._room = size
        self._weigh = weigh
        self._lock = threading.Lock()

    def get_or_compute(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the answer that is known, else the one that is now worked out."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        answer = compute()
        with self._lock:
            if key not in self._known:
                self._known[key] = answer
                self._room -= self._weigh(answer)
            while self._room < 0:
                _, forgotten = self._known.popitem(last=False)
                self._room += self._weigh(forgotten)
        return answer
