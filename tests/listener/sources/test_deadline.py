import threading

import pytest

from listener.sources.deadline import within
from listener.sources.source import SourceError


def test_a_result_in_time_is_given():
    assert within(10.0, lambda: 7, discard=bool) == 7


def test_an_error_of_the_call_is_raised():
    def fail():
        raise SourceError("gone")

    with pytest.raises(SourceError, match="gone"):
        within(10.0, fail, discard=bool)


def test_a_late_result_is_discarded():
    allowed, discarded = threading.Event(), threading.Event()

    def call():
        allowed.wait(10)
        return 7

    results = []

    def discard(result):
        results.append(result)
        discarded.set()

    with pytest.raises(TimeoutError):
        within(0.01, call, discard)
    allowed.set()
    assert discarded.wait(10)
    assert results == [7]
