"""Clips in events: what was heard, and what was heard in vain in how many hours."""

from __future__ import annotations

import numpy as np
import pytest

from listener.detection.policy import LabelPolicy
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.station_events import count_events, judge_events

HOP_SECONDS = 0.48
POLICIES = {
    "dog": LabelPolicy(0.5, 0.3, smoothing_seconds=0.0),
    "cat": LabelPolicy(0.8, 0.3, smoothing_seconds=0.0, min_duration_seconds=1.0),
}


def file_of(dog: list[float], cat: list[float]) -> ScoredFile:
    scores = np.array([dog, cat], np.float32).T
    return ScoredFile("clip", scores, HOP_SECONDS * np.arange(len(dog) + 1, dtype=np.float64))


def test_each_label_has_the_events_of_its_own_policy():
    """Two dogs apart; the cat is once too soft, once too short and once long enough."""
    file = file_of([0.6, 0.1, 0.9, 0.1], [0.1] * 4)
    soft, short, heard = (
        file_of([0.0] * 4, cat) for cat in ([0.7] * 4, [0.9, 0.9, 0.0, 0.0], [0.9, 0.9, 0.9, 0.0])
    )
    counts = count_events([file, soft, short, heard], POLICIES, HOP_SECONDS)
    assert counts.tolist() == [[2, 0], [0, 0], [0, 0], [0, 1]]


def test_events_are_right_wrong_or_neither():
    """A dog, a cat taken for a dog twice, background with a cat, and a clip that may hold a cat."""
    targets = np.array([[1, 0], [0, 1], [0, 0], [1, 0]], np.bool_)
    known = np.array([[1, 1], [1, 1], [1, 1], [1, 0]], np.bool_)
    counts = np.array([[1, 0], [2, 0], [0, 1], [0, 5]])
    files = [file_of([0.0] * 75, [0.0] * 75)] * 4  # 36 s each
    found = judge_events(counts, files, targets, known, ("dog", "cat"))
    dog, cat = found.labels
    assert (dog.clips, dog.heard, dog.wrong_events) == (2, 1, 2)
    assert (cat.clips, cat.heard, cat.wrong_events) == (1, 0, 1)
    assert (found.clips, found.backgrounds) == (4, 1)
    assert (found.heard, found.sounds) == (1, 3)
    assert found.recall == pytest.approx(1 / 3)
    assert found.false_alarms is not None
    assert found.false_alarms.alarms == 3
    assert found.hours == pytest.approx(0.03)  # of the last clip no label is known to be absent
    assert found.false_alarms.per_hour == pytest.approx(100.0)


def test_what_nothing_is_known_of_has_no_rate():
    nothing = np.zeros((1, 2), np.bool_)
    files = [file_of([0.9], [0.9])]
    found = judge_events(np.ones((1, 2), np.intp), files, nothing, nothing, ("dog", "cat"))
    assert found.recall is None
    assert found.false_alarms is None
