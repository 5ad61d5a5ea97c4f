"""What is learnt is added to what is known, and each part has its share of it."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.data.batches import Batch
from trainer.model.settings import FitSettings
from trainer.retraining.correction import MixedBatches, Part, learn_correction
from trainer.retraining.linear_head import LinearHead

NAMED = np.array([True])


def rows(count: int, value: float, target: float, weight: float = 1.0) -> Batch:
    return Batch(
        np.full((count, 2), value, np.float32),
        np.full((count, 1), target, np.float32),
        np.ones((count, 1), np.float32),
        np.full(count, weight, np.float32),
    )


def test_a_small_part_has_its_share_of_every_batch():
    parts = [Part(rows(100, 1.0, 0.0), 0.75), Part(rows(2, 2.0, 1.0, weight=8.0), 0.25)]
    batches = list(MixedBatches(parts, 8, seed=0))
    assert len(batches) == 40  # at least, though 100 / 6 would do
    for batch in batches:
        assert sorted(batch.inputs[:, 0].tolist()) == [1.0] * 6 + [2.0] * 2
        np.testing.assert_array_equal(batch.weights, np.ones(8, np.float32))


def test_a_large_part_makes_a_longer_epoch():
    parts = [Part(rows(1000, 1.0, 0.0), 1.0), Part(rows(0, 1.0, 0.0), 1.0)]
    assert len(list(MixedBatches(parts, 10, seed=0))) == 100


def test_what_is_said_wins_where_it_is_said_and_what_is_known_stays():
    """The head says yes to both points; a verdict says no to the second one."""
    head = LinearHead(
        np.zeros((2, 1), np.float32), np.zeros((2, 1), np.float32), np.full(1, 3.0, np.float32)
    )
    known, denied = rows(50, 1.0, 0.95), rows(3, 4.0, 0.0)
    parts = [Part(known, 0.5), Part(denied, 0.5)]
    learnt = learn_correction(head, parts, FitSettings("sigmoid", learning_rate=1e-2), 64, NAMED)
    scores = learnt.scores(np.array([[1.0, 1.0], [4.0, 4.0]], np.float32), "sigmoid")[:, 0]
    assert scores[0] == pytest.approx(0.95, abs=0.1)
    assert scores[1] < 0.2


def test_a_label_among_many_is_learnt_and_those_that_nobody_named_stay():
    """Of five hundred others only what the bundle said before is known."""
    many = 500
    before = np.float32(1.0 / (1.0 + np.exp(3.0)))  # a logit of -3

    def wide(part: Batch) -> Batch:
        others = np.full((len(part.inputs), many), before, np.float32)
        known = np.ones((len(part.inputs), 1 + many), np.float32)
        return part._replace(targets=np.hstack((part.targets, others)), known=known)

    parts = [Part(wide(rows(20, 1.0, 1.0)), 0.5), Part(wide(rows(20, -1.0, 0.0)), 0.5)]
    nothing = np.zeros((2, 1 + many), np.float32)
    head = LinearHead(nothing, nothing, np.full(1 + many, -3.0, np.float32))
    named = np.arange(1 + many) == 0
    settings = FitSettings("sigmoid", learning_rate=1e-2)
    scores = [
        learn_correction(head, parts, settings, 40, columns).scores(
            np.ones((1, 2), np.float32), "sigmoid"
        )[0]
        for columns in (named, np.ones_like(named))
    ]
    assert scores[0][0] > 0.8
    assert scores[1][0] < 0.5  # as one among many alike
    np.testing.assert_allclose(scores[0][1:], before, atol=0.01)
