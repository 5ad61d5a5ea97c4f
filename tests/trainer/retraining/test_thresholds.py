"""Thresholds are raised until ambient clips keep to the budget, and placed for new labels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from listener.detection.policy import LabelPolicy
from trainer.evaluation.scored_file import ScoredFile
from trainer.retraining.thresholds import (
    ScoredFiles,
    fit_to_ambient,
    place_threshold,
    place_widened,
)

HOP = 0.5

DOG = LabelPolicy(on_threshold=0.5, off_threshold=0.25, smoothing_seconds=0.0)
OWL = LabelPolicy(on_threshold=0.9, off_threshold=0.9, smoothing_seconds=0.0)
NEW = LabelPolicy(on_threshold=0.5, off_threshold=0.25, smoothing_seconds=1.5)  # three patches


def ambient(dog: float, slots: int = 7200) -> ScoredFiles:
    """An hour with one slot in which the dog has this score."""
    scores = np.zeros((slots, 2), np.float32)
    scores[100, 0] = dog
    file = ScoredFile("hall", scores, np.arange(slots + 1, dtype=np.float64) * HOP)
    return ScoredFiles((file,), HOP)


def test_a_threshold_is_raised_above_the_room_s_highest_score():
    check = fit_to_ambient({"dog": DOG, "owl": OWL}, ambient(0.62), 1.0)
    assert check.raised == {"dog": (0.5, 0.65)}
    assert check.policies["dog"].off_threshold == pytest.approx(0.325)
    assert check.policies["owl"] is OWL
    assert check.alarms is not None
    assert (check.alarms.alarms, check.alarms.hours) == (0, 1.0)


def test_a_policy_within_the_budget_stays():
    check = fit_to_ambient({"dog": DOG, "owl": OWL}, ambient(0.4), 1.0)
    assert check.policies == {"dog": DOG, "owl": OWL}
    assert check.raised == {}


def test_a_large_budget_allows_it():
    """Half of 48 a day is one in an hour."""
    check = fit_to_ambient({"dog": DOG, "owl": OWL}, ambient(0.62), 48.0)
    assert check.raised == {}
    assert check.alarms is not None
    assert check.alarms.alarms == 1


def test_alarms_that_no_threshold_prevents_are_counted():
    check = fit_to_ambient({"dog": DOG, "owl": OWL}, ambient(1.0), 1.0)
    assert check.policies["dog"].on_threshold == 0.999
    assert check.alarms is not None
    assert check.alarms.alarms == 1


def test_without_ambient_clips_nothing_is_known():
    check = fit_to_ambient({"dog": DOG}, ScoredFiles((), HOP), 1.0)
    assert check.policies == {"dog": DOG}
    assert check.alarms is None


def score(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))


def files(*logits: float, patches: int = 9) -> ScoredFiles:
    """Files of ten seconds in which the second of two labels has these logits in so many patches."""
    scored = []
    for logit in logits:
        scores = np.zeros((20, 2), np.float32)
        scores[5 : 5 + patches, 1] = score(logit)
        scored.append(ScoredFile("file", scores, np.arange(21, dtype=np.float64) * HOP))
    return ScoredFiles(tuple(scored), HOP)


def test_it_lies_between_the_median_of_its_own_and_the_highest_of_all_others():
    """Of -4, 4 and 9 the median is 4, so that a bad example moves nothing; others reach 2."""
    policy = place_threshold(NEW, 1, files(9.0, -4.0, 4.0), files(-6.0, 2.0, 0.0))
    assert policy.on_threshold == pytest.approx(score(3.0), abs=1e-6)
    assert policy.off_threshold == pytest.approx(score(3.0) / 2, abs=1e-6)
    assert policy.smoothing_seconds == 1.5


def test_a_longer_median_filter_is_chosen_where_it_separates_better():
    """Others score as high, but in few patches: two get past a median of three, not of five."""
    policy = place_threshold(NEW, 1, files(4.0, 4.0), files(4.0, patches=1))
    assert policy.smoothing_seconds == 1.5  # three are enough
    policy = place_threshold(NEW, 1, files(4.0, 4.0), files(4.0, patches=2))
    assert policy.smoothing_patches(HOP) == 5
    assert policy.on_threshold == 0.5  # the others' logit is the least there is


def test_a_median_filter_that_silences_the_label_is_not_chosen():
    """It is heard in three patches, and so are the others, with lower scores."""
    policy = place_threshold(NEW, 1, files(4.0, patches=3), files(2.0, patches=3))
    assert policy.smoothing_seconds == 1.5
    assert policy.on_threshold == pytest.approx(score(3.0), abs=1e-6)


def test_it_is_never_lower_than_it_was_nor_above_the_grid():
    assert place_threshold(NEW, 1, files(1.0), files(-3.0)).on_threshold == 0.5
    assert place_threshold(NEW, 1, files(13.0), files(12.0)).on_threshold == 0.999


def test_without_a_gap_it_lies_above_the_others():
    """In the grid 0.7 is below 0.72 and 0.75 above it."""
    policy = place_threshold(NEW, 1, files(0.0), files(math.log(0.72 / 0.28)))
    assert policy.on_threshold == 0.75
    assert place_threshold(NEW, 1, files(0.0), files(20.0)).on_threshold == 0.999


def test_without_others_it_lies_above_its_own_threshold():
    policy = place_threshold(NEW, 1, files(3.0), files())
    assert policy.on_threshold == pytest.approx(score(1.5), abs=1e-6)


def test_without_clips_of_its_own_it_lies_above_the_others():
    policy = place_threshold(NEW, 1, files(), files(2.0))  # the others reach 0.88
    assert policy.on_threshold == 0.9


def test_takes_alike_lie_above_the_threshold_all_of_them():
    """Of others, one in twenty may fire: of twenty-one, all but one are at -6."""
    takes, others = files(3.0, 9.0, 9.0), files(*([-6.0] * 20), 8.0)
    policy, firing = place_widened(NEW, 1, takes, files(9.0), [others])
    assert policy.on_threshold == pytest.approx(score(0.75), abs=1e-6)  # from -6 to 3
    assert policy.off_threshold == pytest.approx(score(0.75) / 2, abs=1e-6)
    assert firing == pytest.approx(1 / 21)
    policy, firing = place_widened(NEW, 1, takes, files(9.0), [others, files(1.0)])
    assert policy.on_threshold == pytest.approx(score(2.5), abs=1e-6)


def test_wide_copies_lower_the_threshold_and_a_quarter_of_them_does_not():
    takes, others = files(9.0, 9.0), files(1.0)
    policy, _ = place_widened(NEW, 1, takes, files(9.0, 5.0, 5.0, 5.0), [others])
    assert policy.on_threshold == pytest.approx(score(4.0), abs=1e-6)
    policy, _ = place_widened(NEW, 1, takes, files(9.0, 9.0, 9.0, 9.0, -9.0), [others])
    assert policy.on_threshold == pytest.approx(score(7.0), abs=1e-6)


def test_it_is_never_lower_than_the_policy_says():
    for own in (2.0, -2.0):
        policy, _ = place_widened(NEW, 1, files(own), files(own), [files(-9.0)])
        assert policy.on_threshold == 0.5


def test_takes_that_score_no_higher_than_others_are_kept_and_others_fire():
    policy, firing = place_widened(NEW, 1, files(1.0), files(2.0), [files(3.0), files(-9.0)])
    assert policy.on_threshold == pytest.approx(score(1.0), abs=1e-6)
    assert firing == 1.0
