"""A thread-safe LRU cache."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class LRUCache(Generic[T]):
    """Values by key, of which the least recently used is evicted first.

    Each key has the name of the catalogue's state in it. Such a name is random and never comes again, so nothing here
    can be stale, whichever process made a change.
    """

    def __init__(self, size: int, weigh: Callable[[T], int] = lambda _: 1) -> None:
        """Keep values up to a size: their number, or the sum of their weights."""
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._room = size
        self._weigh = weigh
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> T | None:
        """Return the cached value, None if there is none."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def get_or_compute(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the cached value, or compute and cache it."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = compute()
        self.put(key, value)
        return value

    def put(self, key: Hashable, value: T) -> None:
        """Cache a value, unless the key has one."""
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self._room -= self._weigh(value)
            while self._room < 0:
                _, evicted = self._values.popitem(last=False)
                self._room += self._weigh(evicted)
