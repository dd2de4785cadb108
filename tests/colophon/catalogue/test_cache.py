import pytest

from colophon.catalogue.cache import Memory


def test_what_was_not_asked_for_lately_is_forgotten():
    memory: Memory[str] = Memory(size=2)
    for asked in ("a", "b", "a", "c"):
        memory.recall(asked, lambda asked=asked: asked)
    assert memory.recall("a", lambda: "again") == "a"
    assert memory.recall("b", lambda: "again") == "again"


def test_what_is_kept_may_be_weighed():
    memory: Memory[str] = Memory(size=10, weigh=len)
    memory.recall("first", lambda: "x" * 6)
    memory.recall("second", lambda: "y" * 4)
    assert memory.recall("first", lambda: "again") == "x" * 6
    memory.recall("third", lambda: "z")
    assert memory.recall("second", lambda: "again") == "again"


def test_an_answer_too_large_to_keep_is_given_all_the_same():
    memory: Memory[str] = Memory(size=3, weigh=len)
    assert memory.recall("long", lambda: "xxxx") == "xxxx"
    assert memory.recall("long", lambda: "again, long") == "again, long"


def test_a_question_that_fails_is_asked_again():
    memory: Memory[float] = Memory(size=3)
    with pytest.raises(ZeroDivisionError):
        memory.recall("x", lambda: 1 / 0)
    assert memory.recall("x", lambda: 0.5) == 0.5
