"""A day on trial: a label that makes far more events than before is found, ordinary days are not."""

from __future__ import annotations

import pytest

from listener.changes.trial import Jump, Trial, event_totals, rates_per_hour
from tests.listener.pipeline.stages import make_health

MINUTE, HOUR = 60.0, 3600.0


def trial(before: float = 2.0, factor: float = 5.0, least: int = 10) -> Trial:
    return Trial({"dog": before, "cat": 0.0}, 0.0, {"dog": 100}, factor=factor, least_events=least)


def test_a_jump_is_over_the_factor_in_an_hour():
    judged = trial()
    assert judged.look(30 * MINUTE, {"dog": 110}) is None  # 10 events, 5 times 2 an hour
    assert judged.look(31 * MINUTE, {"dog": 111}) == Jump("dog", 11, 2.0)


def test_few_events_are_no_jump_from_nothing():
    judged = trial(before=0.0)
    assert judged.look(MINUTE, {"dog": 109}) is None
    assert judged.look(2 * MINUTE, {"dog": 110}) == Jump("dog", 10, 0.0)


def test_only_the_last_hour_counts():
    judged = trial()
    for minute in range(1, 20 * 60):  # nine an hour, for 20 hours
        assert judged.look(minute * MINUTE, {"dog": 100 + 9 * minute // 60}) is None


def test_a_burst_late_in_the_day_is_found():
    judged = trial()
    for minute in range(1, 600):
        assert judged.look(minute * MINUTE, {"dog": 100 + minute // 60}) is None
    assert judged.look(600 * MINUTE, {"dog": 140}) == Jump("dog", 31, 2.0)  # 109 an hour before


def test_the_label_that_jumps_most_is_named():
    found = trial().look(MINUTE, {"dog": 120, "cat": 50})
    assert found == Jump("cat", 50, 0.0)
    assert str(found) == "cat: 50 events in an hour, 0.0 before"


def test_a_label_that_the_bundle_before_had_not_is_not_judged():
    assert trial().look(MINUTE, {"dog": 100, "wolf": 1000}) is None


def test_a_day_is_enough():
    judged = trial()
    assert not judged.is_over(24 * HOUR)
    assert judged.is_over(24 * HOUR + 1)


@pytest.mark.parametrize(("seconds", "rate"), [(HOUR, 6.0), (2 * HOUR, 3.0), (1.0, 360.0)])
def test_rates_are_of_an_hour_and_never_of_less_than_a_minute(seconds: float, rate: float):
    assert rates_per_hour({"dog": 4}, {"dog": 10}, seconds) == {"dog": pytest.approx(rate)}


def test_totals_are_over_all_sources():
    health = make_health("hall", "barn")
    health.sources["hall"].by_label.events[:] = (3, 0)
    health.sources["barn"].by_label.events[:] = (4, 1)
    assert event_totals(health) == {"loud": 7, "quiet": 1}
