"""Clips that nobody asked for come at a bounded rate of sample time."""

from __future__ import annotations

from random import Random

import pytest

from listener.detection.sampling import Allowance, RandomMoments


def test_one_and_then_none_for_its_share_of_the_hour():
    allowance = Allowance(per_hour=6.0)  # one in 600 s
    taken = [at for at in range(0, 3_600, 50) if allowance.take(float(at))]
    assert taken == [0, 600, 1_200, 1_800, 2_400, 3_000]


def test_a_clock_that_was_set_back_does_not_end_it():
    allowance = Allowance(per_hour=6.0)
    assert allowance.take(10_000.0)
    assert allowance.take(100.0)
    assert not allowance.take(200.0)


def test_none_an_hour_is_none():
    assert not Allowance(0.0).take(0.0)
    assert not any(RandomMoments(0.0, Random(1)).passed(float(at)) for at in range(10_000))


@pytest.mark.parametrize("seed", range(5))
def test_one_moment_in_each_period(seed: int):
    moments = RandomMoments(per_hour=36.0, random=Random(seed))  # one in 100 s
    passed = [at for at in range(10_000) if moments.passed(float(at))]
    periods = [at // 100 for at in passed]
    # noticed up to a second late, which may be the next period's first
    assert len(passed) in (99, 100)
    assert all(periods.count(period) <= 2 for period in set(periods))
    within = [at % 100 for at in passed]
    assert min(within) < 10
    assert max(within) > 90


def test_moments_go_on_after_a_pause_and_when_a_clock_was_set():
    moments = RandomMoments(per_hour=36.0, random=Random(1))
    for begin in (0, 1_000_000, 500):
        assert any(moments.passed(float(begin + at)) for at in range(201))
