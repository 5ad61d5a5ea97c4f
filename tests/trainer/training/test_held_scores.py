"""Scores of held clips: who is right, how calibrated, and a threshold between the bank and a label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from listener.detection.policy import LabelPolicy
from tests.trainer.model.examples import floats
from trainer.data.clips import BACKGROUND, Clip
from trainer.training.held_scores import Calibration, HeldClip, HeldScores, smoothed_peaks

AS_IS = Calibration()


def held(label: str | None, logits, fold: int = 1) -> HeldClip:
    labels = frozenset() if label is None else frozenset({label})
    clip = Clip(Path("clip"), labels, "clip", fold, exhaustive=True)
    return HeldClip(clip, floats(logits))


def softmax_of(*clips: HeldClip, bank=()) -> HeldScores:
    return HeldScores(("a", "b", BACKGROUND), "softmax", clips, tuple(map(floats, bank)))


def test_a_clip_is_right_by_its_highest_label_whatever_background_says():
    scores = softmax_of(held("a", [[2, 1, 9]]), held("b", [[2, 1, 0]]))
    assert scores.right(AS_IS).tolist() == [True, False]


def test_a_background_clip_is_right_if_nothing_is_heard():
    scores = softmax_of(held(BACKGROUND, [[0, 0, 5]]), held(BACKGROUND, [[5, 0, 0]]))
    assert scores.right(AS_IS).tolist() == [True, False]


def test_one_label_alone_must_be_heard():
    clips = (held("a", [[3.0]]), held("a", [[-3.0]]), held(None, [[-3.0]]), held(None, [[3.0]]))
    scores = HeldScores(("a",), "sigmoid", clips)
    assert scores.right(AS_IS).tolist() == [True, False, True, False]
    assert scores.loss(AS_IS) > 1.0


def test_an_underconfident_head_is_sharpened_and_an_overconfident_one_softened():
    right = [held("a", [[1, 0, 0]])] * 19 + [held("b", [[1, 0, 0]])]
    sharper = softmax_of(*right)
    assert sharper.calibrate().scale == pytest.approx(3.0, abs=0.05)  # 3.6, but no more than 3
    assert sharper.calibration_error(sharper.calibrate()) < sharper.calibration_error(AS_IS)
    wrong = [held("a", [[4, 0, -9]])] * 3 + [held("b", [[4, 0, -9]])] * 2
    assert softmax_of(*wrong).calibrate().scale == pytest.approx(0.5, abs=0.05)


def test_without_clips_scores_stay_as_they_are():
    assert softmax_of().calibrate() == AS_IS
    assert softmax_of().calibration_error(AS_IS) == 0.0


def test_a_threshold_is_between_the_bank_and_the_label():
    clips = [held("a", [[2.0]])] * 20
    bank = [floats([[0.0]])] * 100
    thresholds = HeldScores(("a",), "sigmoid", tuple(clips), tuple(bank)).place_thresholds(
        0.24, AS_IS, {}
    )
    assert thresholds.policies["a"].on_threshold == pytest.approx(1 / (1 + np.exp(-0.5)), abs=1e-3)
    assert (thresholds.colliding, thresholds.firing) == ((), 0.0)


def test_a_label_without_a_median_is_placed_by_its_single_patches():
    clip = held("a", [[-3.0], [2.0], [-3.0]])
    scores = HeldScores(("a",), "sigmoid", (clip,) * 20, (floats([[0.0]]),) * 100)
    bases = {"a": LabelPolicy(0.7, 0.4, smoothing_seconds=0.0)}
    policy = scores.place_thresholds(0.24, AS_IS, bases).policies["a"]
    assert policy.smoothing_seconds == 0.0
    assert policy.on_threshold == pytest.approx(1 / (1 + np.exp(-0.5)), abs=1e-3)


def test_three_in_a_hundred_bank_clips_may_fire():
    clips = [held("a", [[4.0]])] * 20
    bank = [floats([[-4.0]])] * 97 + [floats([[9.0]])] * 3
    thresholds = HeldScores(("a",), "sigmoid", tuple(clips), tuple(bank)).place_thresholds(
        0.24, AS_IS, {}
    )
    assert thresholds.policies["a"].on_threshold == pytest.approx(0.5, abs=1e-3)
    assert thresholds.firing == pytest.approx(0.03)


def test_a_label_that_sounds_like_the_bank_keeps_its_clips_and_is_named():
    clips = [held("a", [[1.0]])] * 20
    bank = [floats([[3.0]])] * 100
    thresholds = HeldScores(("a",), "sigmoid", tuple(clips), tuple(bank)).place_thresholds(
        0.24, AS_IS, {}
    )
    assert thresholds.policies["a"].on_threshold == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-3)
    assert (thresholds.colliding, thresholds.firing) == (("a",), 1.0)


def test_the_peak_is_that_of_the_median():
    scores = floats([[0.1], [0.9], [0.2], [0.3], [0.4]])
    assert smoothed_peaks(scores, 3)[0] == pytest.approx(0.3)
    assert smoothed_peaks(scores[:2], 3)[0] == pytest.approx(0.5)
