"""Waits between tries double up to a limit, with jitter; a token bucket allows a burst, then a rate."""

from __future__ import annotations

from random import Random

import pytest

from listener.backoff import Backoff, TokenBucket


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


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def sent_within(bucket: TokenBucket, clock: Clock, seconds: float) -> int:
    count, end = 0, clock.now + seconds
    while (wait := bucket.wait_seconds) + clock.now <= end:
        clock.now += wait
        bucket.take()
        count += 1
    clock.now = end
    return count


def test_a_bucket_lets_a_burst_through_and_then_its_rate():
    clock = Clock()
    bucket = TokenBucket(200.0, 100, clock)
    assert sent_within(bucket, clock, 0.0) == 100
    assert sent_within(bucket, clock, 10.0) == pytest.approx(2000, abs=1)


def test_what_comes_slower_than_the_rate_never_waits():
    clock = Clock()
    bucket = TokenBucket(200.0, 100, clock)
    for _ in range(1000):
        clock.now += 0.01
        assert bucket.wait_seconds == 0.0
        bucket.take()


def test_a_pause_saves_up_no_more_than_a_burst():
    clock = Clock()
    bucket = TokenBucket(200.0, 100, clock)
    clock.now += 3600.0
    assert sent_within(bucket, clock, 0.0) == 100
