"""Clip metrics: by hand and against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from listener.detection.policy import LabelPolicy
from tests.trainer.evaluation.reference import RANKINGS
from trainer.evaluation.clip_metrics import (
    MOST_POINTS,
    ReliabilityBin,
    average_precision,
    calibration_error,
    clip_metrics,
    confusion_matrix,
    decide,
    precision_recall,
    precision_recall_curves,
    reliability_bins,
    roc_auc,
)

LABELS = ("cat", "dog", "owl")
CURVE_LABELS = ("dog", "cat")


def one_hot(*labels: int):
    return np.eye(3, dtype=np.bool_)[list(labels)]


@pytest.mark.parametrize("ranking", RANKINGS, ids=range(len(RANKINGS)))
def test_ranking_is_that_of_scikit_learn(ranking: dict[str, Any]):
    targets, scores = np.array(ranking["targets"]), np.array(ranking["scores"])
    assert roc_auc(targets, scores) == pytest.approx(ranking["roc_auc"])
    assert average_precision(targets, scores) == pytest.approx(ranking["average_precision"])
    metrics = clip_metrics(
        targets[:, None], scores[:, None].astype(np.float32), ["x"], decided=scores[:, None] >= 0.5
    )
    assert metrics.f1 == pytest.approx(ranking["f1_at_half"])


def test_ranking_by_hand():
    targets = np.array([True, False, True, False])
    scores = np.array([0.9, 0.8, 0.8, 0.1])
    assert roc_auc(targets, scores) == (1 + 1 + 0.5 + 1) / 4
    assert average_precision(targets, scores) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    precisions, recalls = precision_recall(targets, scores)
    assert precisions.tolist() == pytest.approx([1, 2 / 3, 2 / 4])
    assert recalls.tolist() == [0.5, 1, 1]


def test_a_ranking_of_one_kind_is_not_known():
    assert roc_auc(np.array([True, True]), np.array([0.1, 0.2])) is None
    assert average_precision(np.array([False]), np.array([0.1])) is None
    with pytest.raises(ValueError, match="expected a clip with the label, got none"):
        precision_recall(np.array([False]), np.array([0.1]))


def test_single_label_by_hand():
    """cat, cat, dog, owl; the second cat is taken for a dog."""
    scores = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.1, 0.7, 0.2], [0.2, 0.2, 0.6]])
    metrics = clip_metrics(one_hot(0, 0, 1, 2), scores.astype(np.float32), LABELS)
    assert metrics.accuracy == 0.75
    assert metrics.confusion == ((1, 1, 0), (0, 1, 0), (0, 0, 1))
    assert [each.precision for each in metrics.labels] == [1.0, 0.5, 1.0]
    assert [each.recall for each in metrics.labels] == [0.5, 1.0, 1.0]
    assert metrics.f1 == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert [each.clips for each in metrics.labels] == [2, 1, 1]


def test_many_labels_by_hand():
    """Both, nothing; accuracy leaves out the first, and in the second a cat passes."""
    targets = np.array([[True, True], [False, False]])
    scores = np.array([[0.9, 0.4], [0.6, 0.1]], np.float32)
    metrics = clip_metrics(targets, scores, ("cat", "dog"))
    assert (metrics.accuracy, metrics.judged, metrics.backgrounds) == (0.0, 1, 1)
    assert [each.precision for each in metrics.labels] == [0.5, 0.0]
    assert [each.recall for each in metrics.labels] == [1.0, 0.0]
    assert metrics.roc_auc == 1.0
    # four scores, each alone in its bin
    assert metrics.calibration_error == pytest.approx((0.1 + 0.6 + 0.6 + 0.1) / 4)


def test_a_background_clip_is_right_where_no_label_passes():
    """One label: a dog that is heard, one that is not, silence, and noise that is taken for a dog."""
    targets = np.array([[True], [True], [False], [False]])
    scores = np.array([[0.9], [0.3], [0.1], [0.7]], np.float32)
    metrics = clip_metrics(targets, scores, ("dog",))
    assert (metrics.accuracy, metrics.judged, metrics.backgrounds) == (0.5, 4, 2)
    deaf = clip_metrics(targets, scores, ("dog",), passed=np.zeros_like(targets))
    assert deaf.accuracy == 0.5  # both backgrounds, no dog
    events = np.array([[True], [True], [False], [False]])
    assert clip_metrics(targets, scores, ("dog",), passed=events).accuracy == 1.0
    labelled = clip_metrics(targets[:2], scores[:2], ("dog",))
    assert (labelled.accuracy, labelled.backgrounds) == (1.0, 0)  # the highest of one score


def test_a_clip_that_may_hold_a_label_is_no_background():
    targets, known = np.zeros((2, 2), np.bool_), np.array([[True, True], [True, False]])
    metrics = clip_metrics(targets, np.zeros((2, 2), np.float32), ("cat", "dog"), known=known)
    assert (metrics.accuracy, metrics.judged, metrics.backgrounds) == (1.0, 1, 1)


def test_unknown_targets_do_not_count():
    targets = np.array([[True, False], [False, False], [False, True]])
    scores = np.array([[0.9, 0.1], [0.9, 0.2], [0.1, 0.8]], np.float32)
    known = np.array([[True, True], [False, True], [True, True]])
    metrics = clip_metrics(targets, scores, ("cat", "dog"), known=known)
    assert metrics.labels[0].precision == 1.0
    everything = clip_metrics(targets, scores, ("cat", "dog"))
    assert everything.labels[0].precision == 0.5


def test_a_label_that_no_clip_has_is_left_out_of_the_means():
    scores = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]], np.float32)
    metrics = clip_metrics(one_hot(0, 1), scores, LABELS)
    assert (metrics.precision, metrics.recall, metrics.f1) == (1.0, 1.0, 1.0)
    assert metrics.labels[2].f1 is None


def test_confusion_leaves_out_clips_of_two_labels_and_of_none():
    targets = np.array([[True, True], [False, False], [False, True]])
    scores = np.array([[1, 0], [1, 0], [1, 0]], np.float32)
    assert confusion_matrix(targets, scores).tolist() == [[0, 0], [1, 0]]


def test_decisions():
    scores = np.array([[0.6, 0.7], [0.2, 0.1]], np.float32)
    assert decide(scores, single_label=True).tolist() == [[False, True], [True, False]]
    assert decide(scores, single_label=False).tolist() == [[True, True], [False, False]]


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"expected targets and scores \(N, 3\)"):
        clip_metrics(one_hot(0, 1), np.zeros((2, 2), np.float32), LABELS)
    with pytest.raises(ValueError, match="at least one clip"):
        clip_metrics(one_hot(), np.zeros((0, 3), np.float32), LABELS)


POLICIES = (LabelPolicy(0.6, 0.3), LabelPolicy(0.9, 0.3))


def test_a_curve_by_hand():
    """At 0.6 the dogs of 0.9 and 0.6 are found, and 0.7, which is none."""
    targets = np.array([[True, False], [False, False], [True, False], [True, False]])
    peaks = np.array([[0.9, 0.1], [0.7, 0.1], [0.6, 0.1], [0.2, 0.1]], np.float32)
    (dog,) = precision_recall_curves(targets, np.ones_like(targets), peaks, CURVE_LABELS, POLICIES)
    assert dog.label == "dog"
    assert dog.precisions == pytest.approx((1, 1 / 2, 2 / 3, 3 / 4))
    assert dog.recalls == pytest.approx((1 / 3, 1 / 3, 2 / 3, 1))
    assert (dog.on_threshold, dog.precision, dog.recall) == pytest.approx((0.6, 2 / 3, 2 / 3))


def test_unknown_targets_are_left_out_of_a_curve():
    targets = np.array([[True, False], [False, False]])
    known = np.array([[True, True], [False, True]])
    peaks = np.array([[0.5, 0.1], [0.9, 0.1]], np.float32)
    (dog,) = precision_recall_curves(targets, known, peaks, CURVE_LABELS, POLICIES)
    assert (dog.precisions, dog.recalls) == ((1.0,), (1.0,))
    assert (dog.precision, dog.recall) == (None, 0.0)  # no event opens at 0.6


def test_long_curves_are_thinned_to_their_ends():
    peaks = np.linspace(0.001, 1.0, 5000, dtype=np.float32)[:, None]
    targets = np.ones((5000, 1), np.bool_)
    (curve,) = precision_recall_curves(targets, targets, peaks, CURVE_LABELS[:1], POLICIES)
    assert len(curve.recalls) == MOST_POINTS
    assert (curve.recalls[0], curve.recalls[-1]) == (1 / 5000, 1.0)


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
