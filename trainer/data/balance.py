"""What to do when one class has many clips and another has few."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainer.data.clips import ClipTable
from trainer.data.targets import Targets

Balance = Literal["none", "weights", "resample"]


def class_counts(table: ClipTable) -> NDArray[np.int64]:
    """How many clips have each label, (K,)."""
    return np.array([sum(name in clip.labels for clip in table.clips) for name in table.classes])


def class_weights(table: ClipTable) -> NDArray[np.float32]:
    """A weight for each class, (K,): all classes together then count alike, a clip counts 1 on average.

    n / (K' n_k) over the K' classes that have clips, as scikit-learn's "balanced"; a class without clips
    has 0.
    """
    counts = class_counts(table)
    present = counts > 0
    weights = np.zeros(len(counts), np.float32)
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return weights


def patch_weights(targets: Targets, weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weight of each patch, (patches,): the mean over its labels, 1 where it has none."""
    labels = targets.values.sum(axis=1)
    summed = targets.values @ weights
    return np.where(labels > 0, summed / np.maximum(labels, 1.0), 1.0).astype(np.float32)


def resampled_order(table: ClipTable, random: np.random.Generator) -> NDArray[np.int64]:
    """Indices of clips in random order, each class as often as the largest one.

    Clips of a small class come again and again, every one before any comes twice more than another; all
    clips come at least once.
    """
    most = int(class_counts(table).max(initial=0))
    drawn = [_draw(_indices(table, name), most, random) for name in table.classes]
    unlabelled = [number for number, clip in enumerate(table.clips) if not clip.labels]
    order = np.concatenate([*drawn, np.array(unlabelled, np.int64)])
    random.shuffle(order)
    return order


def _indices(table: ClipTable, name: str) -> NDArray[np.int64]:
    return np.array([n for n, clip in enumerate(table.clips) if name in clip.labels], np.int64)


def _draw(indices: NDArray[np.int64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    if not len(indices):
        return indices
    rounds = -(-count // len(indices))  # rounded up
    return np.concatenate([random.permutation(indices) for _ in range(rounds)])[:count]
