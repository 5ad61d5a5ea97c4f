"""The wait before the next attempt doubles, has jitter, and starts again after a success."""

from __future__ import annotations

from random import Random

from listener.backoff import Backoff


def test_the_wait_doubles_up_to_its_limit_with_jitter():
    backoff = Backoff(random=Random(1))
    waits = [backoff.next_seconds() for _ in range(7)]
    for wait, limit in zip(waits, (1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0), strict=True):
        assert limit / 2 <= wait <= limit
    assert len({*waits[4:]}) == 3  # not the same for every station


def test_a_success_resets_it():
    backoff = Backoff(random=Random(1))
    for _ in range(5):
        backoff.next_seconds()
    assert backoff.next_seconds() >= 7.5
    backoff.reset()
    assert backoff.next_seconds() <= 1.0


def test_a_caller_may_limit_one_wait():
    backoff = Backoff(first_seconds=8.0, random=Random(1))
    assert 1.25 <= backoff.next_seconds(limit_seconds=2.5) <= 2.5


def test_any_wait_can_get_jitter():
    assert 30.0 <= Backoff(random=Random(1)).spread(60.0) <= 60.0
