"""The exported network answers as the trained heads do, without their standardisation."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from trainer.model.moments import Moments
from trainer.model.network import build_exportable, build_head, join, mean_weights
from trainer.model.settings import HeadShape

RANDOM = np.random.default_rng(0)
MOMENTS = Moments(
    RANDOM.normal(size=5).astype(np.float32),
    RANDOM.uniform(0.5, 2.0, 5).astype(np.float32),
    count=10,
)
EMBEDDINGS = RANDOM.normal(size=(7, 5)).astype(np.float32)


def passthrough() -> keras.Model:
    embeddings = keras.Input((5,))
    return keras.Model(embeddings, keras.layers.Identity()(embeddings))


def head_with_random_weights(shape: HeadShape, seed: int) -> keras.Model:
    head = build_head(MOMENTS, 3, shape)
    random = np.random.default_rng(seed)
    head.set_weights([random.normal(size=weight.shape) for weight in head.get_weights()])
    return head


def softmax(logits):
    logits = np.asarray(logits)
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def test_a_linear_head_begins_undecided():
    head = build_head(MOMENTS, 3, HeadShape())
    np.testing.assert_array_equal(head(EMBEDDINGS), np.zeros((7, 3)))


@pytest.mark.parametrize("shape", [HeadShape(), HeadShape(hidden=8, dropout=0.5)])
def test_folding_changes_no_answer(shape: HeadShape):
    head = head_with_random_weights(shape, 1)
    outputs = build_exportable(passthrough(), MOMENTS, [head], "softmax", 3)(EMBEDDINGS)
    np.testing.assert_allclose(outputs["scores"], softmax(head(EMBEDDINGS)), atol=1e-5)
    np.testing.assert_array_equal(outputs["embeddings"], EMBEDDINGS)


def test_a_sigmoid_head_gives_independent_scores():
    head = head_with_random_weights(HeadShape(), 1)
    outputs = build_exportable(passthrough(), MOMENTS, [head], "sigmoid", 3)(EMBEDDINGS)
    expected = 1 / (1 + np.exp(-np.asarray(head(EMBEDDINGS))))
    np.testing.assert_allclose(outputs["scores"], expected, atol=1e-5)


def test_background_is_no_score():
    head = head_with_random_weights(HeadShape(), 1)
    outputs = build_exportable(passthrough(), MOMENTS, [head], "softmax", 2)(EMBEDDINGS)
    np.testing.assert_allclose(outputs["scores"], softmax(head(EMBEDDINGS))[:, :2], atol=1e-5)


def test_several_linear_heads_become_their_geometric_mean():
    heads = [head_with_random_weights(HeadShape(), seed) for seed in (1, 2)]
    outputs = build_exportable(passthrough(), MOMENTS, heads, "softmax", 3)(EMBEDDINGS)
    product = np.sqrt(softmax(heads[0](EMBEDDINGS)) * softmax(heads[1](EMBEDDINGS)))
    expected = product / product.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(outputs["scores"], expected, atol=1e-5)


def test_several_heads_that_are_not_linear_have_no_mean():
    heads = [head_with_random_weights(HeadShape(hidden=4), seed) for seed in (1, 2)]
    with pytest.raises(ValueError, match="heads: expected one, or several linear ones"):
        mean_weights(heads)


def test_a_joined_network_gives_the_heads_logits():
    head = head_with_random_weights(HeadShape(), 1)
    np.testing.assert_allclose(join(passthrough(), head)(EMBEDDINGS), head(EMBEDDINGS), atol=1e-6)
