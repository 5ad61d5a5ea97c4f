"""Scores against what is right, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.evaluation.reliability import ReliabilityBin, calibration_error, reliability_bins


def test_scores_of_about_the_same_height_share_a_bin():
    scores = np.array([0.75, 0.5, 0.51, 1.0], np.float32)
    low, middle, high = reliability_bins(scores, np.array([True, True, False, True]), bins=5)
    assert (low.count, low.right) == (2, 0.5)
    assert low.mean_score == pytest.approx(0.505)
    assert middle == ReliabilityBin(1, 0.75, 1.0)
    assert high == ReliabilityBin(1, 1.0, 1.0)


def test_calibration_error():
    """Ten scores of 0.75 of which five are right are off by 0.25; ten of 0.5, five right, by none."""
    scores = np.repeat(np.array([0.75, 0.5], np.float32), 10)
    hits = np.tile([True, False], 10)
    assert calibration_error(reliability_bins(scores, hits)) == pytest.approx(0.125)
    sure = reliability_bins(np.ones(4, np.float32), np.ones(4, np.bool_))
    assert calibration_error(sure) == 0.0


def test_without_scores_there_is_no_error():
    nothing = reliability_bins(np.empty(0, np.float32), np.empty(0, np.bool_))
    assert nothing == ()
    assert calibration_error(nothing) == 0.0
