import pytest

from colophon.catalogue.cache import LRUCache


def test_what_was_not_asked_for_lately_is_forgotten():
    cache: LRUCache[str] = LRUCache(size=2)
    for requested in ("a", "b", "a", "c"):
        cache.get_or_compute(requested, lambda requested=requested: requested)
    assert cache.get_or_compute("a", lambda: "again") == "a"
    assert cache.get_or_compute("b", lambda: "again") == "again"


def test_what_is_kept_may_be_weighed():
    cache: LRUCache[str] = LRUCache(size=10, weigh=len)
    cache.get_or_compute("first", lambda: "x" * 6)
    cache.get_or_compute("second", lambda: "y" * 4)
    assert cache.get_or_compute("first", lambda: "again") == "x" * 6
    cache.get_or_compute("third", lambda: "z")
    assert cache.get_or_compute("second", lambda: "again") == "again"


def test_an_answer_too_large_to_keep_is_given_all_the_same():
    cache: LRUCache[str] = LRUCache(size=3, weigh=len)
    assert cache.get_or_compute("long", lambda: "xxxx") == "xxxx"
    assert cache.get_or_compute("long", lambda: "again, long") == "again, long"


def test_a_question_that_fails_is_asked_again():
    cache: LRUCache[float] = LRUCache(size=3)
    with pytest.raises(ZeroDivisionError):
        cache.get_or_compute("x", lambda: 1 / 0)
    assert cache.get_or_compute("x", lambda: 0.5) == 0.5
