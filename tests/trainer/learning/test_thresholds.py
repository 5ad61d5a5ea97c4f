"""Thresholds for a room: raised until its ambient clips keep to the budget, never lowered."""

from __future__ import annotations

import numpy as np
import pytest

from listener.detection.policy import LabelPolicy
from trainer.evaluation.spans import ScoredFile
from trainer.learning.thresholds import fit_to_room

HOP = 0.5
DOG = LabelPolicy(on_threshold=0.5, off_threshold=0.25, smoothing_seconds=0.0)
OWL = LabelPolicy(on_threshold=0.9, off_threshold=0.9, smoothing_seconds=0.0)


def ambient(dog: float, slots: int = 7200) -> ScoredFile:
    """An hour in which a dog nearly barks once."""
    scores = np.zeros((slots, 2), np.float32)
    scores[100, 0] = dog
    return ScoredFile("hall", scores, np.arange(slots + 1, dtype=np.float64) * HOP)


def test_a_threshold_is_raised_over_what_the_room_gives():
    room = fit_to_room({"dog": DOG, "owl": OWL}, [ambient(0.62)], 1.0, HOP)
    assert room.raised == {"dog": (0.5, 0.65)}
    assert room.policies["dog"].off_threshold == pytest.approx(0.325)
    assert room.policies["owl"] is OWL
    assert room.alarms is not None
    assert (room.alarms.alarms, room.alarms.hours) == (0, 1.0)


def test_what_is_quiet_enough_stays():
    room = fit_to_room({"dog": DOG, "owl": OWL}, [ambient(0.4)], 1.0, HOP)
    assert room.policies == {"dog": DOG, "owl": OWL}
    assert room.raised == {}


def test_a_large_budget_bears_it():
    """Half of 48 a day is one in an hour."""
    room = fit_to_room({"dog": DOG, "owl": OWL}, [ambient(0.62)], 48.0, HOP)
    assert room.raised == {}
    assert room.alarms is not None
    assert room.alarms.alarms == 1


def test_what_no_threshold_can_silence_is_told():
    room = fit_to_room({"dog": DOG, "owl": OWL}, [ambient(1.0)], 1.0, HOP)
    assert room.policies["dog"].on_threshold == 0.999
    assert room.alarms is not None
    assert room.alarms.alarms == 1


def test_without_ambient_clips_nothing_is_known():
    room = fit_to_room({"dog": DOG}, [], 1.0, HOP)
    assert room.policies == {"dog": DOG}
    assert room.alarms is None
