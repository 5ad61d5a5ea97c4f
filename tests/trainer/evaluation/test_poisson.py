"""What counts of alarms allow one to claim."""

from __future__ import annotations

import math

import pytest

from trainer.evaluation.poisson import AlarmRate, hours_to_claim, upper_bound


def test_no_alarm_is_the_rule_of_three():
    assert upper_bound(0) == pytest.approx(-math.log(0.05))


@pytest.mark.parametrize(
    # half of the chi-square quantile of 0.95 at 2 (n + 1) degrees of freedom, from tables
    ("count", "bound"),
    [(1, 4.743865), (2, 6.295794), (5, 10.513035), (10, 16.962222), (100, 118.0793)],
)
def test_bounds_are_those_of_the_tables(count: int, bound: float):
    assert upper_bound(count) == pytest.approx(bound, rel=1e-5)


def test_so_few_come_with_chance_one_in_twenty():
    mean = upper_bound(3)
    chance = sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(4))
    assert chance == pytest.approx(0.05)


def test_a_quiet_hour_allows_seventy_two_a_day():
    rate = AlarmRate(0, 1.0)
    assert (rate.per_hour, rate.per_day) == (0, 0)
    assert rate.at_most_per_day == pytest.approx(71.9, abs=0.1)
    assert AlarmRate(12, 4.0).per_hour == 3.0


def test_hours_to_claim_are_three_over_the_rate():
    assert hours_to_claim(1.0) == pytest.approx(71.9, abs=0.1)
    assert AlarmRate(0, hours_to_claim(0.5)).at_most_per_day == pytest.approx(0.5)


@pytest.mark.parametrize(("alarms", "hours"), [(-1, 1.0), (0, 0.0)])
def test_a_rate_needs_hours(alarms: int, hours: float):
    with pytest.raises(ValueError, match="more than 0 hours"):
        AlarmRate(alarms, hours)
