"""Classes of unequal size can count alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.trainer.data.doubles import make_clip, make_table
from trainer.data.balance import class_counts, class_weights, patch_weights, resampled_order
from trainer.data.clips import Clip
from trainer.data.targets import Targets

TABLE = make_table(
    *(make_clip(Path(f"dog{number}.wav"), "dog") for number in range(6)),
    *(make_clip(Path(f"cat{number}.wav"), "cat") for number in range(2)),
    Clip(Path("silence.wav"), frozenset(), "silence", 1),
    classes=("cat", "dog", "owl"),
)


def test_counts_and_weights():
    assert class_counts(TABLE).tolist() == [2, 6, 0]
    # 8 labels in 2 classes that have clips: 8 / (2 * 2), 8 / (2 * 6)
    np.testing.assert_allclose(class_weights(TABLE), [2.0, 2 / 3, 0.0])


def test_a_patch_weighs_the_mean_of_its_labels():
    values = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32)
    targets = Targets(values, np.ones_like(values))
    weights = patch_weights(targets, np.array([2.0, 4.0], np.float32))
    assert weights.tolist() == [2.0, 4.0, 3.0, 1.0]


def test_resampling_brings_small_classes_again():
    order = resampled_order(TABLE, np.random.default_rng(0))
    times = np.bincount(order, minlength=9)
    assert times.tolist() == [1, 1, 1, 1, 1, 1, 3, 3, 1]
    again = resampled_order(TABLE, np.random.default_rng(0))
    assert again.tolist() == order.tolist()
    assert resampled_order(TABLE, np.random.default_rng(1)).tolist() != order.tolist()
