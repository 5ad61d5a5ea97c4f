"""What a head should say: the verdict where there is one, elsewhere what it said before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from listener.detection.clip import LabelSpan
from listener.detection.params import FeatureParams
from trainer.data.clips import Clip
from trainer.retraining.rows import answers_before, answers_of

SECONDS = 1.935  # four patches: 0.975 + 2 * 0.48, slots end at 0.7275, 1.2075 and the end
SOFTMAX = ("cat", "dog", "owl", "background")


FEATURES = FeatureParams()
SIGMOID = SOFTMAX[:-1]
OLD = np.array([True, True, False, True])  # owl is new
BEFORE = np.array([[0.1, 0.7, 0.0, 0.2]] * 3, np.float32)

CLIP = Clip(Path("clip.flac"), frozenset(), "hall", fold=0)
DOG = replace(CLIP, labels=frozenset({"dog"}), spans=(LabelSpan("dog", 0.0, 0.7275),))


def shares(clip: Clip):
    return answers_of(clip, SECONDS, FEATURES, SOFTMAX, BEFORE, OLD)


def scores(clip: Clip):
    return answers_of(clip, SECONDS, FEATURES, SIGMOID, BEFORE[:, :3], OLD[:3])


def test_what_is_right_is_alone_within_its_span():
    answers = shares(DOG)
    np.testing.assert_array_equal(answers.values[0], [0, 1, 0, 0])
    # after it the dog is denied, and what it had goes to the background
    np.testing.assert_allclose(answers.values[1], [0.1, 0, 0, 0.9], atol=1e-6)


def test_what_is_wrong_goes_to_the_background_and_not_to_the_second():
    answers = shares(replace(CLIP, negatives=frozenset({"dog"})))
    np.testing.assert_allclose(answers.values, [[0.1, 0, 0, 0.9]] * 3, atol=1e-6)
    assert (answers.known == 1).all()


def test_two_labels_at_once_share_the_whole():
    both = (LabelSpan("dog", 0.0, SECONDS), LabelSpan("owl", 0.0, SECONDS))
    answers = shares(replace(DOG, labels=frozenset({"dog", "owl"}), spans=both))
    np.testing.assert_array_equal(answers.values, [[0, 0.5, 0.5, 0]] * 3)


def test_background_is_background():
    background = replace(CLIP, labels=frozenset({"background"}), exhaustive=True)
    np.testing.assert_array_equal(shares(background).values, [[0, 0, 0, 1]] * 3)


def test_independent_scores_keep_what_nobody_spoke_of():
    answers = scores(replace(CLIP, negatives=frozenset({"dog"})))
    np.testing.assert_allclose(answers.values, [[0.1, 0, 0]] * 3, atol=1e-6)
    np.testing.assert_array_equal(answers.known, [[1, 1, 0]] * 3)


def test_of_a_new_label_something_is_known_where_somebody_named_it():
    owl = replace(CLIP, labels=frozenset({"owl"}), exhaustive=True)
    answers = scores(owl)
    np.testing.assert_array_equal(answers.values, [[0, 0, 1]] * 3)
    assert (answers.known == 1).all()


def test_the_word_of_the_bundle_is_kept():
    assert (answers_before(BEFORE, SOFTMAX, OLD).known == 1).all()
    kept = answers_before(BEFORE[:, :3], SIGMOID, OLD[:3])
    np.testing.assert_array_equal(kept.values, BEFORE[:, :3])
    np.testing.assert_array_equal(kept.known, [[1, 1, 0]] * 3)
