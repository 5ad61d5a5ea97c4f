"""Scores of held clips: who is right, how calibrated, and a threshold between the bank and a label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import logit

from listener.detection.policy import LabelPolicy
from tests.trainer.model.examples import floats
from trainer.data.clips import BACKGROUND, Clip
from trainer.model.network import Moments, build_head
from trainer.model.settings import HeadShape
from trainer.training.held_scores import (
    Calibration,
    HeldClip,
    HeldScores,
    Thresholds,
    place_between,
    smoothed_peaks,
)

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


def test_the_bank_sets_how_much_background_weighs_beside_the_labels():
    clips = [held("a", [[2, 0, 3]])] * 5 + [held("b", [[0, 2, 3]])] * 5
    scores = softmax_of(*clips, bank=[[[0, 0, 3]]] * 20)
    found = scores.calibrate()
    assert found.offset > 0.5  # else background would be heard in each clip
    assert scores.scores(clips[0].logits, found).max() > 0.5
    assert scores.scores(scores.bank[0], found).sum() < 0.5
    assert scores.right(found).all()


def test_a_calibration_becomes_part_of_the_head():
    head = build_head(Moments(floats(np.zeros(2)), floats(np.ones(2)), 1), 3, HeadShape())
    head.get_layer("logits").set_weights([np.eye(2, 3), np.ones(3)])
    before = np.asarray(head(floats([[4.0, 9.0]])))
    calibration = Calibration(2.0, 0.5)
    calibration.apply(head, labels=2)
    after = np.asarray(head(floats([[4.0, 9.0]])))
    np.testing.assert_allclose(after, 2.0 * before + [[0.5, 0.5, 0.0]], rtol=1e-6)
    np.testing.assert_allclose(calibration.scaled(before, 2), after, rtol=1e-6)


def place(own: list[float], bank: list[float], **bases: LabelPolicy) -> Thresholds:
    clips = tuple(held("a", [[each]]) for each in own)
    scores = HeldScores(("a",), "sigmoid", clips, tuple(floats([[each]]) for each in bank))
    return scores.place_thresholds(0.24, AS_IS, bases)


def test_a_threshold_is_between_the_bank_and_the_label():
    thresholds = place([2.0] * 20, [0.0] * 100)
    assert logit(thresholds.policies["a"].on_threshold) == pytest.approx(1.0, abs=0.05)
    assert (thresholds.colliding, thresholds.firing) == ((), 0.0)


def test_a_label_without_a_median_is_placed_by_its_single_patches():
    clip = held("a", [[-3.0], [2.0], [-3.0]])
    scores = HeldScores(("a",), "sigmoid", (clip,) * 20, (floats([[0.0]]),) * 100)
    bases = {"a": LabelPolicy(0.7, 0.4, smoothing_seconds=0.0)}
    policy = scores.place_thresholds(0.24, AS_IS, bases).policies["a"]
    assert policy.smoothing_seconds == 0.0
    assert logit(policy.on_threshold) == pytest.approx(1.0, abs=0.05)


def test_a_few_clips_of_the_bank_do_not_take_a_label_away():
    thresholds = place([2.0] * 20, [-9.0] * 97 + [9.0] * 3)
    assert thresholds.policies["a"].on_threshold == pytest.approx(0.5)
    assert not thresholds.colliding
    assert thresholds.firing == pytest.approx(0.03)


def test_a_label_that_sounds_like_the_bank_keeps_its_clips_and_is_named():
    thresholds = place([2.0] * 20, [6.0] * 100)
    assert thresholds.policies["a"].on_threshold == pytest.approx(0.5)
    assert (thresholds.colliding, thresholds.firing) == (("a",), 1.0)


def test_a_clip_of_one_label_of_many_counts_less_beside_the_bank():
    own, bank = floats([0.6, 0.7, 0.8, 0.9]), floats([0.1] * 8 + [0.7, 0.7])
    assert place_between(own, bank, 10) > place_between(own, bank, 1)


def test_the_threshold_is_the_usual_one_where_nothing_was_held():
    assert place([], [3.0] * 9).policies["a"].on_threshold == 0.5
    assert place([3.0] * 9, []).policies["a"].on_threshold == 0.5


def test_the_peak_is_that_of_the_median():
    scores = floats([[0.1], [0.9], [0.2], [0.3], [0.4]])
    assert smoothed_peaks(scores, 3)[0] == pytest.approx(0.3)
    assert smoothed_peaks(scores[:2], 3)[0] == pytest.approx(0.5)
