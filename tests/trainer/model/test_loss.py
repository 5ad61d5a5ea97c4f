"""Cross-entropies by hand; what nobody knows costs nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.model.examples import floats
from trainer.model.loss import cross_entropy, kernel_penalty, smooth
from trainer.model.moments import Moments
from trainer.model.network import build_head
from trainer.model.settings import HeadShape

ONE = np.ones((1, 2), np.float32)
EVEN = np.zeros((1, 2), np.float32)  # logits of two scores of a half
LN_2 = np.log(2.0)


def loss_of(logits, targets, known, weights, activation):
    return float(
        cross_entropy(floats(logits), floats(targets), floats(known), floats(weights), activation)
    )


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_an_even_guess_costs_one_bit(activation):
    assert loss_of(EVEN, [[1, 0]], ONE, [1], activation) == pytest.approx(LN_2)


def test_an_unknown_label_costs_nothing_whatever_its_target():
    """ln 2 of the known one; the other would cost 5 more."""
    assert loss_of([[0, 5]], [[1, 0]], [[1, 0]], [1], "sigmoid") == pytest.approx(LN_2)
    assert loss_of([[0, 5]], [[1, 1]], [[1, 0]], [1], "sigmoid") == pytest.approx(LN_2)


def test_a_patch_of_which_nothing_is_known_costs_nothing():
    logits, targets = [[0, 0], [9, 0]], [[1, 0], [0, 1]]
    known = [[1, 1], [0, 0]]
    assert loss_of(logits, targets, known, [1, 1], "softmax") == pytest.approx(LN_2)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_nothing_known_at_all_costs_nothing(activation):
    assert loss_of(EVEN, [[1, 0]], 0 * ONE, [1], activation) == 0.0


def test_weights_are_shares_of_the_mean():
    """The second patch is right beyond doubt; the first counts three times."""
    logits, targets = [[0, 0], [0, 99]], [[1, 0], [0, 1]]
    loss = loss_of(logits, targets, np.ones((2, 2)), [3, 1], "softmax")
    assert loss == pytest.approx(0.75 * LN_2)


def test_smoothing_gives_a_share_to_all():
    target = np.array([[1.0, 0.0, 0.0, 0.0]], np.float32)
    np.testing.assert_allclose(smooth(target, 0.2, "softmax"), [[0.85, 0.05, 0.05, 0.05]])
    np.testing.assert_allclose(smooth(target, 0.2, "sigmoid"), [[0.9, 0.1, 0.1, 0.1]])


def test_the_penalty_is_half_the_squares_of_kernels_only():
    head = build_head(Moments(floats([0, 0]), floats([1, 1]), 1), 2, HeadShape())
    head.set_weights([np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([100.0, 100.0])])
    assert float(kernel_penalty(head, 0.1)) == pytest.approx(0.1 * 15.0)
