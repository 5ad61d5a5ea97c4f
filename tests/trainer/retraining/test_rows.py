"""The targets of a patch: the verdict where there is one, elsewhere the base's own scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from listener.detection.clip import LabelSpan
from listener.detection.params import FeatureParams
from trainer.data.clips import Clip
from trainer.retraining.rows import base_targets, verdict_targets

SECONDS = 1.935  # four patches: 0.975 + 2 * 0.48, slots end at 0.7275, 1.2075 and the end
SOFTMAX = ("cat", "dog", "owl", "background")

SIGMOID = SOFTMAX[:-1]
FEATURES = FeatureParams()
OLD = np.array([True, True, False, True])  # owl is new
BEFORE = np.array([[0.1, 0.7, 0.0, 0.2]] * 3, np.float32)

CLIP = Clip(Path("clip.flac"), frozenset(), "hall", fold=0)
DOG = replace(CLIP, labels=frozenset({"dog"}), spans=(LabelSpan("dog", 0.0, 0.7275),))


def shares(clip: Clip):
    return verdict_targets(clip, SECONDS, FEATURES, SOFTMAX, BEFORE, OLD)


def scores(clip: Clip):
    return verdict_targets(clip, SECONDS, FEATURES, SIGMOID, BEFORE[:, :3], OLD[:3])


def test_a_right_label_has_the_whole_within_its_span():
    targets = shares(DOG)
    np.testing.assert_array_equal(targets.values[0], [0, 1, 0, 0])
    # after it the dog is denied, and its score goes to the background
    np.testing.assert_allclose(targets.values[1], [0.1, 0, 0, 0.9], atol=1e-6)


def test_the_score_of_a_wrong_label_goes_to_the_background_and_not_to_the_second():
    targets = shares(replace(CLIP, negatives=frozenset({"dog"})))
    np.testing.assert_allclose(targets.values, [[0.1, 0, 0, 0.9]] * 3, atol=1e-6)
    assert (targets.known == 1).all()


def test_two_labels_at_once_share_the_whole():
    both = (LabelSpan("dog", 0.0, SECONDS), LabelSpan("owl", 0.0, SECONDS))
    targets = shares(replace(DOG, labels=frozenset({"dog", "owl"}), spans=both))
    np.testing.assert_array_equal(targets.values, [[0, 0.5, 0.5, 0]] * 3)


def test_background_is_background():
    background = replace(CLIP, labels=frozenset({"background"}), exhaustive=True)
    np.testing.assert_array_equal(shares(background).values, [[0, 0, 0, 1]] * 3)


def test_independent_scores_keep_what_nobody_named():
    targets = scores(replace(CLIP, negatives=frozenset({"dog"})))
    np.testing.assert_allclose(targets.values, [[0.1, 0, 0]] * 3, atol=1e-6)
    np.testing.assert_array_equal(targets.known, [[1, 1, 0]] * 3)


def test_a_new_label_is_known_only_where_somebody_named_it():
    owl = replace(CLIP, labels=frozenset({"owl"}), exhaustive=True)
    targets = scores(owl)
    np.testing.assert_array_equal(targets.values, [[0, 0, 1]] * 3)
    assert (targets.known == 1).all()


def test_the_scores_of_the_base_are_kept():
    assert (base_targets(BEFORE, SOFTMAX, OLD).known == 1).all()
    kept = base_targets(BEFORE[:, :3], SIGMOID, OLD[:3])
    np.testing.assert_array_equal(kept.values, BEFORE[:, :3])
    np.testing.assert_array_equal(kept.known, [[1, 1, 0]] * 3)
