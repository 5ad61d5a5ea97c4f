"""Intersection matching and PSDS, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from listener.detection.clip import LabelSpan
from trainer.evaluation.counts import Counts
from trainer.evaluation.psds import (
    PSDS1,
    Scenario,
    Tolerances,
    intersection_counts,
    match_groups,
    psds,
)
from trainer.evaluation.scored_file import ScoredFile

NOTHING = np.empty((0, 2))


def intervals(*pairs: tuple[float, float]):
    return np.array(pairs, np.float64).reshape(-1, 2)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (intervals((0.0, 2.0)), Counts(1, 0, 0)),  # half of it is truth, and all truth is found
        (intervals((0.0, 2.1)), Counts(0, 1, 1)),  # less than half
        (intervals((1.0, 1.5)), Counts(1, 0, 0)),  # half of the truth
        (intervals((1.0, 1.4)), Counts(0, 0, 1)),  # relevant, but too little
        (intervals((1.0, 1.2), (1.5, 1.8)), Counts(1, 0, 0)),  # together half
        (NOTHING, Counts(0, 0, 1)),
    ],
)
def test_half_of_the_event_and_half_of_the_truth(found, wanted: Counts):
    assert intersection_counts(found, intervals((1.0, 2.0))) == wanted


def test_a_false_alarm_in_anothers_truth_is_a_cross_trigger():
    tolerances = Tolerances(0.5, 0.5, cross_trigger=0.3)
    found = intervals((0.0, 1.0), (5.0, 6.0), (8.0, 9.0))
    group = np.array([0, 0, 1])
    others = [intervals((0.7, 3.0)), intervals((5.8, 7.0)), NOTHING]
    matched = match_groups(found, group, 2, intervals((8.0, 9.0)), others, tolerances)
    assert matched.hits.tolist() == [0, 1]
    assert matched.false_alarms.tolist() == [2, 0]
    assert matched.cross_triggers.tolist() == [[1, 0, 0], [0, 0, 0]]


def make_file(*columns: list[float], truth: tuple[LabelSpan, ...]) -> ScoredFile:
    """Slots of a second."""
    scores = np.array(columns, np.float32).T
    return ScoredFile("x", scores, np.arange(len(scores) + 1, dtype=np.float64), truth)


def test_psds_of_a_perfect_detector_is_one():
    file = make_file([0, 1, 1, 0], [0, 0, 0, 1], truth=(LabelSpan("a", 1, 3), LabelSpan("b", 3, 4)))
    assert psds([file], ["a", "b"], PSDS1) == 1.0


def test_psds_by_hand():
    """One hour; a is found at once, b after one false alarm: 0 until 1/h, then 1, of 4/h."""
    b = [0.0] * 3600
    b[10], b[2000] = 0.9, 0.5
    a = [0.0] * 3600
    a[100] = 0.9
    truth = (LabelSpan("a", 100, 101), LabelSpan("b", 2000, 2001))
    file = make_file(a, b, truth=truth)
    plain = Scenario(Tolerances(0.5, 0.5), spread_weight=0.0, max_per_hour=4.0)
    assert psds([file], ["a", "b"], plain) == pytest.approx((0.5 * 1 + 1 * 3) / 4)
    spread = Scenario(Tolerances(0.5, 0.5), spread_weight=1.0, max_per_hour=4.0)
    assert psds([file], ["a", "b"], spread) == pytest.approx((0.0 * 1 + 1 * 3) / 4)


def test_labels_that_are_never_heard_are_left_out():
    file = make_file([0, 1, 1, 0], [0.5, 0.2, 0, 1], truth=(LabelSpan("a", 1, 3),))
    assert psds([file], ["a", "b"], PSDS1) == 1.0
    with pytest.raises(ValueError, match="expected truth of one of 1 labels, got none"):
        psds([file], ["c"], PSDS1)


def test_a_file_whose_table_has_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"expected scores \(T, K\) and T \+ 1 boundaries"):
        ScoredFile("x", np.zeros((3, 2), np.float32), np.arange(3.0))
