"""What is left out of the coverage, and that nothing else is."""

import sys

import pytest

from tests.untraced import untraced


@pytest.fixture
def tracer():
    before = sys.gettrace()

    def trace(*_):
        return None

    sys.settrace(trace)
    yield trace
    sys.settrace(before)


def test_nothing_is_traced_meanwhile_and_everything_afterwards(tracer):
    with untraced():
        meanwhile = sys.gettrace()
    afterwards = sys.gettrace()
    assert (meanwhile, afterwards) == (None, tracer)


def test_what_follows_an_error_is_traced(tracer):
    with pytest.raises(ZeroDivisionError), untraced():
        _ = 1 // 0
    assert sys.gettrace() is tracer


def test_a_test_without_coverage_is_not_traced(without_coverage):
    assert sys.gettrace() is None
