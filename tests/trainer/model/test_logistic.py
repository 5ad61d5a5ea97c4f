"""Logistic regression gives heads that tell classes apart, and knows what it never saw."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.model.examples import floats
from trainer.data.batches import Batch
from trainer.model.logistic import LogisticFitter


def make_rows(classes, outputs: int = 3) -> Batch:
    """Patches of zeros with a one where the class is; its target is 1."""
    inputs = np.eye(3, dtype=np.float32)[list(classes)]
    targets = np.eye(3, dtype=np.float32)[list(classes)][:, :outputs]
    return Batch(inputs, targets, np.ones_like(targets), np.ones(len(inputs), np.float32))


def test_each_class_has_the_highest_logit_of_its_own():
    head = LogisticFitter(make_rows([0, 1, 2] * 4), "softmax").fit(1.0)
    logits = np.asarray(head(np.eye(3, dtype=np.float32)))
    np.testing.assert_array_equal(logits.argmax(axis=1), [0, 1, 2])


def test_a_class_without_patches_is_unlikely():
    head = LogisticFitter(make_rows([0, 1] * 4), "softmax").fit(1.0)
    logits = np.asarray(head(np.eye(3, dtype=np.float32)))
    np.testing.assert_array_equal(logits[:2].argmax(axis=1), [0, 1])
    assert logits[:, 2].max() < -5.0


def test_one_label_is_told_from_everything_else():
    head = LogisticFitter(make_rows([0, 1, 2] * 4, outputs=1), "sigmoid").fit(10.0)
    logits = np.asarray(head(np.eye(3, dtype=np.float32)))[:, 0]
    assert logits[0] > 0 > max(logits[1:])


def test_patches_of_which_nothing_is_known_are_left_out():
    rows = make_rows([0, 0, 1], outputs=1)
    rows = rows._replace(known=floats([[1], [1], [0]]))
    head = LogisticFitter(rows, "sigmoid").fit(1.0)
    logits = np.asarray(head(np.eye(3, dtype=np.float32)))
    assert (logits > 0).all()  # all that it saw had the label


@pytest.mark.parametrize("weight", [1.0, 100.0])
def test_weights_count(weight: float):
    """The same patch said to be both: the heavier class wins."""
    inputs = np.zeros((2, 3), np.float32)
    targets = floats([[1, 0, 0], [0, 1, 0]])
    rows = Batch(inputs, targets, np.ones_like(targets), floats([weight, 10.0]))
    logits = np.asarray(LogisticFitter(rows, "softmax").fit(1.0)(inputs[:1]))[0]
    assert (logits[0] > logits[1]) == (weight > 10.0)
