"""The exported network gives the scores of the trained heads, without their standardisation."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from trainer.model.network import (
    MIN_DEVIATION,
    MIN_DEVIATION_SHARE,
    Moments,
    build_exportable,
    build_head,
    compress,
    join,
    mean_weights,
    measure_moments,
)
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


def test_a_linear_head_starts_undecided():
    head = build_head(MOMENTS, 3, HeadShape())
    np.testing.assert_array_equal(head(EMBEDDINGS), np.zeros((7, 3)))


@pytest.mark.parametrize("shape", [HeadShape(), HeadShape(hidden=8, dropout=0.5)])
def test_folding_changes_no_score(shape: HeadShape):
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


@pytest.mark.parametrize(
    ("value", "root"), [(0.0, 0.0), (1.2, 1.0), (-1.2, -1.0), (4.4, 2.0), (0.03, 0.1)]
)
def test_compression_is_a_shifted_square_root(value: float, root: float):
    """The root of 1.21 is 1.1, of 4.41 is 2.1, of 0.04 is 0.2."""
    assert float(compress(np.float32(value))) == pytest.approx(root, abs=1e-6)


def test_rounding_errors_near_zero_stay_small():
    """Five times the difference at most, where a plain root would make 1e-3 of 1e-6."""
    near = np.asarray(compress(np.array([0.0, 1e-6, -1e-6], np.float32)))
    assert np.abs(near).max() <= 5.1e-6


def test_moments_do_not_depend_on_batches():
    rows = np.random.default_rng(0).normal(3.0, 2.0, (100, 4)).astype(np.float32)
    moments = measure_moments(np.split(rows, [7, 50]))
    compressed = np.asarray(compress(rows))
    np.testing.assert_allclose(moments.mean, compressed.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(moments.deviation, compressed.std(axis=0), rtol=1e-4)
    assert moments.count == 100


def test_a_feature_that_hardly_varies_is_not_scaled_up():
    """Of 5 and 5, and of -1.2 and 1.2, which compress to -1 and 1: deviations of 0 and 1."""
    moments = measure_moments([np.array([[5.0, -1.2], [5.0, 1.2]], np.float32)])
    np.testing.assert_allclose(
        moments.deviation, [MIN_DEVIATION_SHARE * np.sqrt(0.5), 1.0], rtol=1e-5
    )


def test_constant_embeddings_are_not_divided_by_zero():
    moments = measure_moments([np.full((3, 2), 5.0, np.float32)])
    np.testing.assert_allclose(moments.deviation, MIN_DEVIATION)


def test_no_embeddings_are_refused():
    with pytest.raises(ValueError, match="expected at least one embedding, got none"):
        measure_moments([])
