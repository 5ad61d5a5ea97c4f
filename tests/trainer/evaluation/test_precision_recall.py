"""Curves over all thresholds, and where the policy lies on them."""

from __future__ import annotations

import numpy as np
import pytest

from listener.detection.policy import LabelPolicy
from trainer.evaluation.precision_recall import MOST_POINTS, precision_recall_curves

LABELS = ("dog", "cat")
POLICIES = (LabelPolicy(0.6, 0.3), LabelPolicy(0.9, 0.3))


def test_a_curve_by_hand():
    """At 0.6 the dogs of 0.9 and 0.6 are found, and 0.7, which is none."""
    targets = np.array([[True, False], [False, False], [True, False], [True, False]])
    peaks = np.array([[0.9, 0.1], [0.7, 0.1], [0.6, 0.1], [0.2, 0.1]], np.float32)
    (dog,) = precision_recall_curves(targets, np.ones_like(targets), peaks, LABELS, POLICIES)
    assert dog.label == "dog"
    assert dog.precisions == pytest.approx((1, 1 / 2, 2 / 3, 3 / 4))
    assert dog.recalls == pytest.approx((1 / 3, 1 / 3, 2 / 3, 1))
    assert (dog.on_threshold, dog.precision, dog.recall) == pytest.approx((0.6, 2 / 3, 2 / 3))


def test_what_nobody_knows_is_left_out():
    targets = np.array([[True, False], [False, False]])
    known = np.array([[True, True], [False, True]])
    peaks = np.array([[0.5, 0.1], [0.9, 0.1]], np.float32)
    (dog,) = precision_recall_curves(targets, known, peaks, LABELS, POLICIES)
    assert (dog.precisions, dog.recalls) == ((1.0,), (1.0,))
    assert (dog.precision, dog.recall) == (None, 0.0)  # no event opens at 0.6


def test_long_curves_are_thinned_to_their_ends():
    peaks = np.linspace(0.001, 1.0, 5000, dtype=np.float32)[:, None]
    targets = np.ones((5000, 1), np.bool_)
    (curve,) = precision_recall_curves(targets, targets, peaks, LABELS[:1], POLICIES)
    assert len(curve.recalls) == MOST_POINTS
    assert (curve.recalls[0], curve.recalls[-1]) == (1 / 5000, 1.0)
