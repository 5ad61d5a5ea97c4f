"""Thresholds for a room: raised until its ambient clips keep to the budget, never lowered."""

from __future__ import annotations

import math

import numpy as np
import pytest

from listener.detection.policy import LabelPolicy
from trainer.evaluation.scored_file import ScoredFile
from trainer.retraining.thresholds import Files, fit_to_room, place_between

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


OWL_PLACING = LabelPolicy(
    on_threshold=0.5, off_threshold=0.25, smoothing_seconds=1.5
)  # three patches


def score(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))


def files(*logits: float, patches: int = 9) -> Files:
    """Files of ten seconds in which the label, the second of two, is heard in so many patches."""
    scored = []
    for logit in logits:
        scores = np.zeros((20, 2), np.float32)
        scores[5 : 5 + patches, 1] = score(logit)
        scored.append(ScoredFile("file", scores, np.arange(21, dtype=np.float64) * HOP))
    return Files(tuple(scored), HOP)


def test_the_middle_of_its_own_and_the_highest_of_all_others():
    """Of -4, 4 and 9 the middle one is 4, so that a bad example moves nothing; others reach 2."""
    policy = place_between(OWL_PLACING, 1, files(9.0, -4.0, 4.0), files(-6.0, 2.0, 0.0))
    assert policy.on_threshold == pytest.approx(score(3.0), abs=1e-6)
    assert policy.off_threshold == pytest.approx(score(3.0) / 2, abs=1e-6)
    assert policy.smoothing_seconds == 1.5


def test_a_longer_median_is_taken_where_it_sets_them_further_apart():
    """Others are as sure, but for few patches; two are heard under a median of three, not of five."""
    policy = place_between(OWL_PLACING, 1, files(4.0, 4.0), files(4.0, patches=1))
    assert policy.smoothing_seconds == 1.5  # three are enough
    policy = place_between(OWL_PLACING, 1, files(4.0, 4.0), files(4.0, patches=2))
    assert policy.smoothing_patches(HOP) == 5
    assert policy.on_threshold == 0.5  # the others' logit is the least there is


def test_a_median_that_silences_the_label_is_not_taken():
    """It is heard in three patches, and so are the others, less loudly."""
    policy = place_between(OWL_PLACING, 1, files(4.0, patches=3), files(2.0, patches=3))
    assert policy.smoothing_seconds == 1.5
    assert policy.on_threshold == pytest.approx(score(3.0), abs=1e-6)


def test_it_is_never_lower_than_it_was_and_never_out_of_reach():
    assert place_between(OWL_PLACING, 1, files(1.0), files(-3.0)).on_threshold == 0.5
    assert place_between(OWL_PLACING, 1, files(13.0), files(12.0)).on_threshold == 0.999


def test_where_nothing_lies_between_it_is_quiet():
    """Of the grid 0.7 is under 0.72 and 0.75 over it."""
    policy = place_between(OWL_PLACING, 1, files(0.0), files(math.log(0.72 / 0.28)))
    assert policy.on_threshold == 0.75
    assert place_between(OWL_PLACING, 1, files(0.0), files(20.0)).on_threshold == 0.999


def test_without_others_it_lies_over_its_own_threshold():
    policy = place_between(OWL_PLACING, 1, files(3.0), files())
    assert policy.on_threshold == pytest.approx(score(1.5), abs=1e-6)


def test_without_clips_of_its_own_it_is_quiet():
    assert (
        place_between(OWL_PLACING, 1, files(), files(2.0)).on_threshold == 0.9
    )  # 0.88 is the others'
