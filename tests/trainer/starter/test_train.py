"""Training learns a known relation, and masks are gaps of the patch's mean."""

from __future__ import annotations

import keras
import numpy as np

from trainer.starter.real_audio import RealAudio
from trainer.starter.strips import COLUMNS, LABELS, PATCHES, STRIP_SAMPLES, Recording, StripMaker
from trainer.starter.train import (
    UNKNOWN,
    Examples,
    Schedule,
    Teacher,
    embedding_spread,
    known_cross_entropy,
    make_examples,
    mask,
    select_labels,
    train,
)


def test_a_constant_embedding_value_is_not_divided_by_zero():
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


def test_the_same_seed_trains_the_same_network():
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


BARK = Recording("1-1-A-0", "dog", 1, np.sin(np.arange(80_000) / 5).astype(np.float32))


class MeanEngine:
    """Its embedding is the mean over a patch's time, (B, 64); it always hears its only class."""

    def infer(self, patches):
        return np.ones((len(patches), 1), np.float32), patches.mean(axis=1)


def teacher_of(label: str) -> Teacher:
    columns = [(0,) if each.slug == label else () for each in LABELS]
    return Teacher(MeanEngine(), tuple(columns))


def make(seed: int, real: RealAudio | None = None) -> Examples:
    return make_examples(StripMaker([BARK], real), teacher_of("rain"), strip_count=12, seed=seed)


def test_every_patch_has_its_targets_and_the_teachers_embedding():
    examples = make(0)
    assert len(examples) == 12 * PATCHES
    assert examples.targets.shape == (len(examples), len(LABELS))
    assert examples.targets[:, COLUMNS["dog"]].max() == 1.0
    assert examples.targets[:, COLUMNS["rain"]].max() == 0.0  # no recording of rain was given
    means = examples.patches.astype(np.float32).mean(axis=1)
    np.testing.assert_allclose(examples.embeddings, means, atol=0.02)  # half precision


def test_the_same_seed_makes_the_same_examples():
    first, again, other = make(1), make(1), make(2)
    np.testing.assert_array_equal(first.patches, again.patches)
    np.testing.assert_array_equal(first.targets, again.targets)
    assert not np.array_equal(first.patches, other.patches)


def test_what_the_teacher_hears_in_unlabelled_audio_is_unknown():
    hum = (10_000 * np.sin(np.arange(100_000) / 9)).astype(np.int16)
    examples = make(0, RealAudio(((hum,),), STRIP_SAMPLES))
    unknown = examples.targets == UNKNOWN
    assert unknown[:, COLUMNS["rain"]].any()
    assert unknown[:, COLUMNS["rain"]].sum() == unknown.sum()  # of no other label
    assert not (make(0).targets == UNKNOWN).any()


def test_an_unknown_target_costs_nothing():
    targets = np.array([[1.0, UNKNOWN], [UNKNOWN, UNKNOWN]], np.float32)
    scores = np.array([[0.5, 0.9], [0.9, 0.1]], np.float32)
    losses = np.asarray(known_cross_entropy(targets, scores))
    np.testing.assert_allclose(losses, [np.log(2.0), 0.0], atol=1e-6)


def test_some_of_the_labels_score_as_before():
    network, _ = trained(loud_and_quiet())
    patches = np.random.default_rng(0).normal(size=(3, 96, 64)).astype(np.float32)
    before, after = network(patches), select_labels(network, [0])(patches)
    np.testing.assert_allclose(after["scores"], before["scores"], atol=1e-6)
    np.testing.assert_array_equal(after["embeddings"], before["embeddings"])
