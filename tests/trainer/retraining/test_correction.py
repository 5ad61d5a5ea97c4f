"""A correction is added to what the head knows, and each component has its share of a batch."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.data.batches import Batch
from trainer.model.settings import FitSettings
from trainer.retraining.correction import Component, MixedBatches, fit_correction
from trainer.retraining.linear_head import LinearHead

NAMED = np.array([True])


def rows(count: int, value: float, target: float, weight: float = 1.0) -> Batch:
    return Batch(
        np.full((count, 2), value, np.float32),
        np.full((count, 1), target, np.float32),
        np.ones((count, 1), np.float32),
        np.full(count, weight, np.float32),
    )


def test_a_small_component_has_its_share_of_every_batch():
    components = [
        Component(rows(100, 1.0, 0.0), 0.75),
        Component(rows(2, 2.0, 1.0, weight=8.0), 0.25),
    ]
    batches = list(MixedBatches(components, 8, seed=0))
    assert len(batches) == 40  # at least, though 100 / 6 would do
    for batch in batches:
        assert sorted(batch.inputs[:, 0].tolist()) == [1.0] * 6 + [2.0] * 2
        np.testing.assert_array_equal(batch.weights, np.ones(8, np.float32))


def test_a_large_component_makes_a_longer_epoch():
    components = [Component(rows(1000, 1.0, 0.0), 1.0), Component(rows(0, 1.0, 0.0), 1.0)]
    assert len(list(MixedBatches(components, 10, seed=0))) == 100


def test_a_verdict_wins_where_it_was_given_and_what_is_known_stays():
    """The head finds the label at both points; a verdict denies it at the second."""
    head = LinearHead(
        np.zeros((2, 1), np.float32), np.zeros((2, 1), np.float32), np.full(1, 3.0, np.float32)
    )
    known, denied = rows(50, 1.0, 0.95), rows(3, 4.0, 0.0)
    components = [Component(known, 0.5), Component(denied, 0.5)]
    learnt = fit_correction(head, components, FitSettings("sigmoid", learning_rate=1e-2), 64, NAMED)
    scores = learnt.scores(np.array([[1.0, 1.0], [4.0, 4.0]], np.float32), "sigmoid")[:, 0]
    assert scores[0] == pytest.approx(0.95, abs=0.1)
    assert scores[1] < 0.2


def test_one_label_among_many_is_learnt_and_those_that_nobody_named_stay():
    """Of five hundred others only what the bundle said before is known."""
    many = 500
    before = np.float32(1.0 / (1.0 + np.exp(3.0)))  # a logit of -3

    def wide(narrow: Batch) -> Batch:
        others = np.full((len(narrow.inputs), many), before, np.float32)
        known = np.ones((len(narrow.inputs), 1 + many), np.float32)
        return narrow._replace(targets=np.hstack((narrow.targets, others)), known=known)

    components = [
        Component(wide(rows(20, 1.0, 1.0)), 0.5),
        Component(wide(rows(20, -1.0, 0.0)), 0.5),
    ]
    zeros = np.zeros((2, 1 + many), np.float32)
    head = LinearHead(zeros, zeros, np.full(1 + many, -3.0, np.float32))
    named = np.arange(1 + many) == 0
    settings = FitSettings("sigmoid", learning_rate=1e-2, weight_decay=3e-2, max_epochs=12)
    scores = [
        fit_correction(head, components, settings, 40, columns).scores(
            np.ones((1, 2), np.float32), "sigmoid"
        )[0]
        for columns in (named, np.ones_like(named))
    ]
    assert scores[0][0] > 0.8
    assert scores[1][0] < 0.5  # where all labels weigh the same
    np.testing.assert_allclose(scores[0][1:], before, atol=0.01)


def test_columns_that_are_learnt_alone_come_out_as_beside_all_others():
    """Of fifty independent scores, the first is learnt; the others keep what they were."""
    many = 50
    random = np.random.default_rng(0)
    points = random.normal(size=(200, 2)).astype(np.float32)
    targets = np.repeat((points[:, :1] > 0).astype(np.float32), 1 + many, axis=1)
    batch = Batch(points, targets, np.ones_like(targets), np.ones(200, np.float32))
    zeros = np.zeros((2, 1 + many), np.float32)
    head = LinearHead(zeros, zeros, np.full(1 + many, -3.0, np.float32))
    first = np.arange(1 + many) == 0
    settings = FitSettings("sigmoid", learning_rate=1e-2, weight_decay=3e-2, max_epochs=8)
    of_all, alone = (
        fit_correction(head, [Component(batch, 1.0)], settings, 40, first, only=only)
        for only in (None, first)
    )
    np.testing.assert_allclose(alone.compressed[:, 0], of_all.compressed[:, 0], rtol=0.02)
    assert abs(of_all.compressed[0, 0]) > 0.1
    np.testing.assert_array_equal(alone.compressed[:, 1:], head.compressed[:, 1:])
    np.testing.assert_array_equal(alone.bias[1:], head.bias[1:])
