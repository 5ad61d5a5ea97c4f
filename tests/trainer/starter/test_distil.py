"""Training learns what there is to learn, and masks are gaps of the patch's mean."""

from __future__ import annotations

import keras
import numpy as np

from trainer.starter.distil import Schedule, embedding_spread, mask, train
from trainer.starter.examples import Examples


def test_a_dead_number_of_the_teacher_is_not_divided_by_zero():
    embeddings = np.array([[0, 2], [0, 4]], np.float16)
    np.testing.assert_allclose(embedding_spread(embeddings), [[0, 3], [1, 1]])


def test_a_mask_covers_at_most_12_frames_and_6_bands():
    patches = np.random.default_rng(0).normal(size=(50, 96, 64)).astype(np.float32)
    masked = mask(patches.copy(), np.random.default_rng(1))
    changed = masked != patches
    assert 0 < changed.mean() < 0.4
    for before, after, touched in zip(patches, masked, changed, strict=True):
        frames, bands = touched.all(axis=1).sum(), touched.all(axis=0).sum()
        assert frames <= 12
        assert bands <= 6
        np.testing.assert_allclose(after[touched], before.mean(), atol=1e-6)


def test_a_linear_network_learns_which_patches_are_loud():
    examples = loud_and_quiet()
    network, losses = trained(examples)
    assert losses[-1] < losses[0] / 2
    scores = np.asarray(network(examples.patches.astype(np.float32))["scores"])
    assert np.mean((scores > 0.5) == examples.targets) > 0.99


def test_the_same_seed_learns_the_same():
    weights = [trained(loud_and_quiet())[0].get_layer("scores").get_weights() for _ in range(2)]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def loud_and_quiet() -> Examples:
    rng = np.random.default_rng(0)
    loud = rng.integers(2, size=512)
    patches = (rng.normal(size=(512, 96, 64)) + 3.0 * loud[:, None, None]).astype(np.float16)
    return Examples(patches, loud[:, None].astype(np.float32), loud[:, None].astype(np.float16))


def trained(examples: Examples) -> tuple[keras.Model, list[float]]:
    keras.utils.set_random_seed(0)
    patches = keras.Input((96, 64), name="patches")
    embeddings = keras.layers.GlobalAveragePooling1D(name="embeddings")(patches)
    scores = keras.layers.Dense(1, activation="sigmoid", name="scores")(embeddings)
    network = keras.Model(patches, {"scores": scores, "embeddings": embeddings})
    schedule = Schedule(epochs=8, batch_size=32, learning_rate=0.1)
    return network, train(network, examples, schedule)
