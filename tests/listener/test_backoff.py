"""The wait before the next try doubles, has jitter, and starts anew after a success."""

from __future__ import annotations

from random import Random

from listener.backoff import Backoff


def test_it_doubles_up_to_a_quarter_of_a_minute_with_jitter():
    backoff = Backoff(random=Random(1))
    waits = [backoff.next_seconds() for _ in range(7)]
    for wait, limit in zip(waits, (1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0), strict=True):
        assert limit / 2 <= wait <= limit
    assert len({*waits[4:]}) == 3  # not the same for every station


def test_a_success_starts_it_anew():
    backoff = Backoff(random=Random(1))
    for _ in range(5):
        backoff.next_seconds()
    assert backoff.next_seconds() >= 7.5
    backoff.reset()
    assert backoff.next_seconds() <= 1.0


def test_a_caller_may_bound_one_wait():
    backoff = Backoff(first_seconds=8.0, random=Random(1))
    assert 1.25 <= backoff.next_seconds(limit_seconds=2.5) <= 2.5


def test_a_wait_of_the_callers_is_spread_too():
    assert 30.0 <= Backoff(random=Random(1)).spread(60.0) <= 60.0
