"""The search finds the policy that a person would."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.detection.clip import LabelSpan
from listener.detection.policy import LabelPolicy
from tests.trainer.evaluation.test_tracks import events_of
from trainer.evaluation.counts import Counts
from trainer.evaluation.event_metrics import collar_counts
from trainer.evaluation.operating_points import (
    AlarmRate,
    Grid,
    PolicySearch,
    allowed_alarms,
    best_point,
    hours_to_claim,
    overlap_counts,
    upper_bound,
)
from trainer.evaluation.scored_file import ScoredFile, overlaps
from trainer.evaluation.tracks import Track, make_track

HOP_SECONDS = 0.5


SMALL = Grid(
    smoothing_seconds=(0.0, 1.5),
    on_thresholds=(0.1, 0.3, 0.5, 0.7, 0.9),
    off_shares=(1.0, 0.5),
    min_duration_seconds=(0.0, 1.0),
    max_gap_seconds=(0.0, 1.0),
)


Pairs = list[tuple[float, float]]
pairs = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6)), max_size=6).map(
    lambda drawn: sorted((float(onset), float(onset + length)) for onset, length in drawn)
)


def make(digits: str, *truth: tuple[float, float]) -> Track:
    """Scores in tenths, one digit a slot of half a second, over and over for an hour if no truth."""
    spans = tuple(LabelSpan("dog", onset, offset) for onset, offset in truth)
    scores = np.array([[int(digit) / 10] for digit in digits], np.float32)
    boundaries = np.arange(len(scores) + 1, dtype=np.float64) * HOP_SECONDS
    return make_track([ScoredFile("x", scores, boundaries, spans)], 0, "dog")


def hour_of(digits: str) -> Track:
    return make(digits * (7200 // len(digits)))


def intervals(*pairs: tuple[float, float]):
    return np.array(pairs, np.float64).reshape(-1, 2)


def test_events_meet_truth_or_not():
    found = intervals((0.0, 1.0), (1.5, 2.0), (5.0, 6.0))
    assert overlap_counts(found, intervals((0.5, 1.8), (8.0, 9.0))) == Counts(1, 1, 1)
    assert overlap_counts(intervals((0.0, 1.0)), intervals((1.0, 2.0))) == Counts(0, 1, 1)
    assert overlap_counts(intervals(), intervals((1.0, 2.0))) == Counts(0, 0, 1)


@given(pairs, pairs)
def test_events_meet_truth_as_a_table_of_all_pairs_says(found: Pairs, truth: Pairs):
    meet = overlaps(intervals(*found), intervals(*truth)) > 0
    hits, right = int(meet.any(axis=0).sum()), int(meet.any(axis=1).sum())
    wanted = Counts(hits, len(found) - right, len(truth) - hits)
    assert overlap_counts(intervals(*found), intervals(*truth)) == wanted


def test_the_threshold_lies_between_the_sound_and_the_others():
    track = make("0044000088000044", (4.0, 5.0))
    point = best_point(track, None, 1.0, HOP_SECONDS, grid=SMALL)
    assert point.counts == Counts(1, 0, 0)
    assert 0.4 < point.policy.on_threshold <= 0.8
    assert (point.ambient, point.within_budget) == (None, True)


def test_a_lone_high_slot_calls_for_a_median():
    track = make("00900000" + "0088880000" + "009000", (5.0, 7.0))
    point = best_point(track, None, 1.0, HOP_SECONDS, grid=SMALL)
    assert point.counts == Counts(1, 0, 0)
    assert point.policy.smoothing_seconds == 1.5 or point.policy.min_duration_seconds == 1.0


def test_a_pause_calls_for_a_gap():
    track = make("008808800000", (1.0, 3.5))
    exact = partial(collar_counts, collar_seconds=0.2)
    point = best_point(track, None, 1.0, HOP_SECONDS, matcher=exact, grid=SMALL)
    assert point.counts == Counts(1, 0, 0)
    found = events_of(track, point.policy, HOP_SECONDS)
    assert found.tolist() == [[1.0, 3.5]]


def test_the_budget_raises_the_threshold():
    """0.6 would find both sounds, but ambient audio reaches 0.7 twice an hour."""
    track = make("0066000099", (1.0, 2.0), (4.0, 5.0))
    ambient = hour_of("7" + "0" * 3599)
    free = best_point(track, ambient, 24 * 2, HOP_SECONDS, grid=SMALL)
    assert (free.counts, free.within_budget) == (Counts(2, 0, 0), True)
    strict = best_point(track, ambient, 24.0, HOP_SECONDS, grid=SMALL)
    assert strict.within_budget
    assert strict.ambient is not None
    assert strict.ambient.alarms == 0


def test_where_no_policy_keeps_to_the_budget_it_is_the_one_with_the_fewest_alarms():
    ambient = hour_of("9" * 10 + "0" * 10)
    track = make("0000999900", (2.0, 4.0))
    point = best_point(track, ambient, 1.0, HOP_SECONDS, grid=SMALL)
    assert not point.within_budget
    assert point.ambient is not None
    assert point.ambient.alarms == 360


def test_recall_alone_takes_what_f1_does_not():
    """The second sound is found only where others raise four false alarms."""
    track = make("0099" + "0000" + "0033" + "0000" + "0044000000" * 4, (1.0, 2.0), (5.0, 6.0))
    f1 = best_point(track, None, 1.0, HOP_SECONDS, grid=SMALL)
    recall = best_point(track, None, 1.0, HOP_SECONDS, grid=SMALL, objective="recall")
    assert (f1.counts.hits, f1.counts.false_alarms) == (1, 0)
    assert (recall.counts.hits, recall.counts.false_alarms) == (2, 4)


def test_the_least_recall_comes_before_f1_but_not_before_the_budget():
    """As above, the second sound costs four false alarms; ambient audio has 0.7 for 2 s twice an hour."""
    track = make("0099" + "0000" + "0033" + "0000" + "0044000000" * 4, (1.0, 2.0), (5.0, 6.0))
    search = PolicySearch(track, None, HOP_SECONDS, grid=SMALL, least_recall=0.6)
    assert search.best_within(1.0).counts.hits == 2
    ambient = hour_of("7777" + "0" * 3596)
    search = PolicySearch(track, ambient, HOP_SECONDS, grid=SMALL, least_recall=0.6)
    assert search.best_within(1.0).counts.hits == 1
    assert search.fewest_alarms() == AlarmRate(2, 1.0)
    assert search.best_within(48.0).counts.hits == 2


def test_without_ambient_audio_or_recall_no_number_of_alarms_keeps_it():
    track = make("0000000000", (1.0, 2.0))
    quiet = hour_of("0" * 3600)
    for ambient in (None, quiet):
        search = PolicySearch(track, ambient, HOP_SECONDS, grid=SMALL, least_recall=0.5)
        assert search.fewest_alarms() is None


def test_the_reach_is_the_highest_score_of_a_sound_as_the_policy_smooths_it():
    search = PolicySearch(make("9900070560", (2.0, 4.5)), None, HOP_SECONDS, grid=SMALL)
    assert search.reach(LabelPolicy(smoothing_seconds=0.0)) == pytest.approx(0.7)
    assert search.reach(LabelPolicy(smoothing_seconds=1.5)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("per_day", "hours", "alarms"), [(1.0, 23.9, 0), (1.0, 24.0, 1), (2.4, 1.0, 0), (48.0, 1.0, 2)]
)
def test_alarms_that_a_budget_allows(per_day: float, hours: float, alarms: int):
    assert allowed_alarms(per_day, hours) == alarms


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
