"""The label that came nearest to an event, as the detector smooths its scores."""

from __future__ import annotations

import numpy as np
import pytest

from listener.detection.hysteresis import EventDetector
from listener.detection.near_miss import find_nearest_misses, miss_document
from listener.detection.policy import LabelPolicy
from listener.detection.scores import PatchScores

HOP_SECONDS = 0.5
BOUNDARIES = np.arange(7, dtype=np.float64) * HOP_SECONDS
POLICIES = {
    "dog": LabelPolicy(0.9, 0.5, smoothing_seconds=0.0),
    "cat": LabelPolicy(0.5, 0.3, smoothing_seconds=1.5),
    "horn": LabelPolicy(0.5, 0.4, smoothing_seconds=0.0, min_duration_seconds=2.0),
}
SCORES = np.array(
    [
        [0.1, 0.0, 0.0],
        [0.2, 0.9, 0.0],
        [0.8, 0.2, 0.0],
        [0.1, 0.4, 0.6],
        [0.0, 0.2, 0.0],
        [0.0, 0.0, 0.0],
    ],
    np.float32,
)


def test_the_nearest_to_its_threshold_comes_first():
    horn, dog, cat = find_nearest_misses(SCORES, BOUNDARIES, POLICIES, HOP_SECONDS)
    assert str(dog) == "dog 0.80 of 0.90 at 1.0 s"
    assert str(cat) == "cat 0.40 of 0.50 at 1.0 s"  # the middle one of .9, .2 and .4
    assert str(horn) == "horn 0.60 of 0.50 at 1.5 s, for less than 2 s"
    assert [miss.too_short for miss in (horn, dog, cat)] == [True, False, False]


def test_a_label_that_fired_missed_nothing():
    found = find_nearest_misses(SCORES, BOUNDARIES, POLICIES, HOP_SECONDS, {"dog", "horn"})
    assert [miss.label for miss in found] == ["cat"]


def test_a_score_is_the_one_that_the_detector_decides_by():
    detector = EventDetector("x", POLICIES, HOP_SECONDS)
    highest = np.zeros(3, np.float32)
    for row, onset in zip(SCORES, BOUNDARIES[:-1].tolist(), strict=True):
        detector.push(PatchScores("x", onset, onset + HOP_SECONDS, row))
        highest = np.maximum(highest, detector.smoothed)
    found = find_nearest_misses(SCORES, BOUNDARIES, POLICIES, HOP_SECONDS)
    assert {miss.label: miss.score for miss in found} == dict(
        zip(POLICIES, highest.tolist(), strict=True)
    )


@pytest.mark.parametrize(("score", "close"), [(0.49, False), (0.5, True)])
def test_from_the_off_threshold_on_it_is_close(score: float, close: bool):
    scores = np.full((1, 1), score, np.float32)
    (miss,) = find_nearest_misses(scores, BOUNDARIES[:2], {"dog": POLICIES["dog"]}, HOP_SECONDS)
    assert miss.close is close


def test_a_threshold_that_is_just_reached_is_not_missed():
    scores = np.full((1, 1), 0.9, np.float32)
    (miss,) = find_nearest_misses(scores, BOUNDARIES[:2], {"dog": POLICIES["dog"]}, HOP_SECONDS)
    assert miss.too_short


def test_without_scores_there_is_none():
    empty = np.empty((0, 0), np.float32)
    assert find_nearest_misses(empty, np.zeros(1), POLICIES, HOP_SECONDS) == []


def test_a_document_has_its_numbers():
    miss = find_nearest_misses(SCORES, BOUNDARIES, POLICIES, HOP_SECONDS)[1]
    assert miss_document(miss) == {
        "score": 0.8,
        "on_threshold": 0.9,
        "at": 1.0,
        "min_duration_seconds": 0.0,
    }
