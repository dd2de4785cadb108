"""A thread-safe LRU cache of a size in bytes."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

ENTRY = 200  # bytes, in which the dictionary finds a key and knows its place


class LRUCache(Generic[T]):
    """Values by key, of which the least recently used is evicted first.

    Each key has the name of the catalogue's state in it. Such a name is random and never comes again, so nothing here
    can be stale, whichever process made a change.
    """

    def __init__(self, size: int) -> None:
        """Keep values and keys, which visitors can make long, up to a size in bytes of memory."""
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._room = size
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
                self._room -= ENTRY + memory(key) + memory(value)
            while self._room < 0:
                evicted, old = self._values.popitem(last=False)
                self._room += ENTRY + memory(evicted) + memory(old)


def memory(value: Any) -> int:
    """Return the bytes of memory of a value with all that it holds: in a list or a tuple, or as its attributes."""
    if isinstance(value, list | tuple):
        held = value
    else:
        attributes = getattr(value, "__dict__", {})
        held = [*attributes.values(), *(getattr(value, name) for name in getattr(value, "__slots__", ()))]
    return sys.getsizeof(value) + sum(map(memory, held))
