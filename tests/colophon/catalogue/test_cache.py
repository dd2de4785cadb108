import gc
import tracemalloc

import pytest

from colophon.catalogue.cache import ENTRY, LRUCache, memory
from colophon.catalogue.list_query import ListQuery
from colophon.catalogue.types import Facet


def test_what_was_not_asked_for_lately_is_forgotten():
    cache: LRUCache[str] = LRUCache(size=2 * (ENTRY + 2 * memory("a")))
    for requested in ("a", "b", "a", "c"):
        cache.get_or_compute(requested, lambda requested=requested: requested)
    assert cache.get_or_compute("a", lambda: "again") == "a"
    assert cache.get_or_compute("b", lambda: "again") == "again"


@pytest.mark.parametrize(
    "value",
    [
        lambda number: number,
        lambda number: "😀" * 1_000 + str(number),
        lambda number: [Facet(f"{number} {each}", f"Subject {number} {each}", 1000 + each) for each in range(20)],
    ],
    ids=["numbers", "text of four bytes a character", "objects"],
)
@pytest.mark.parametrize("length", [1, 7_000])
def test_a_cache_takes_no_more_memory_than_its_size(value, length):
    cache: LRUCache[object] = LRUCache(size=100_000)
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(1_500 if length == 1 else 200):
            key = ("state", ListQuery(q=str(number) + "x" * length))
            cache.get_or_compute(key, lambda number=number: value(number))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 120_000


def test_an_answer_too_large_to_keep_is_given_all_the_same():
    cache: LRUCache[str] = LRUCache(size=3)
    assert cache.get_or_compute("long", lambda: "xxxx") == "xxxx"
    assert cache.get_or_compute("long", lambda: "again, long") == "again, long"


def test_a_question_that_fails_is_asked_again():
    cache: LRUCache[float] = LRUCache(size=ENTRY + memory("x") + memory(0.5))
    with pytest.raises(ZeroDivisionError):
        cache.get_or_compute("x", lambda: 1 / 0)
    assert cache.get_or_compute("x", lambda: 0.5) == 0.5
