"""Batches of patches with their targets; only the patches being shuffled are in memory."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trainer.data.clips import ClipTable
from trainer.data.patches import PatchSource
from trainer.data.targets import Targets, patch_targets
from trainer.errors import DataError

Balance = Literal["none", "weights", "resample"]  # for classes with many and with few clips

PREFETCHED_BATCHES = 4


def class_counts(table: ClipTable) -> NDArray[np.int64]:
    """How many clips have each label, (K,)."""
    return np.array([sum(name in clip.labels for clip in table.clips) for name in table.classes])


def class_weights(table: ClipTable) -> NDArray[np.float32]:
    """A weight for each class, (K,), so that all classes count alike and a clip counts 1 on average.

    n / (K' n_k) over the K' classes that have clips, as scikit-learn's "balanced"; 0 without clips.
    """
    counts = class_counts(table)
    present = counts > 0
    weights = np.zeros(len(counts), np.float32)
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return weights


def patch_weights(targets: Targets, weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weight of each patch, (patches,): the mean over its labels, 1 without labels."""
    labels = targets.values.sum(axis=1)
    summed = targets.values @ weights
    return np.where(labels > 0, summed / np.maximum(labels, 1.0), 1.0).astype(np.float32)


def resampled_order(table: ClipTable, random: np.random.Generator) -> NDArray[np.int64]:
    """Indices of clips in random order, each class as often as the largest one.

    Clips of a small class repeat, none of them more than once more than another; clips without labels
    come once.
    """
    most = int(class_counts(table).max(initial=0))
    order: list[int] = []
    for name in table.classes:
        indices = [number for number, clip in enumerate(table.clips) if name in clip.labels]
        drawn: list[int] = []
        while indices and len(drawn) < most:
            drawn += random.permutation(indices).tolist()
        order += drawn[:most]
    order += [number for number, clip in enumerate(table.clips) if not clip.labels]
    shuffled = np.array(order, np.int64)
    random.shuffle(shuffled)
    return shuffled


class Batch(NamedTuple):
    """Patches of a batch: inputs (B, ...), targets, known (B, K) as in `Targets`, weights (B,); float32."""

    inputs: NDArray[np.float32]
    targets: NDArray[np.float32]
    known: NDArray[np.float32]
    weights: NDArray[np.float32]

    def rows(self, which: slice | NDArray[np.int64] | NDArray[np.bool_]) -> Batch:
        """Some of its patches."""
        return Batch(*(values[which] for values in self))


def join_batches(batches: Sequence[Batch]) -> Batch:
    """The patches of several batches, one after the other."""
    return Batch(*(np.concatenate(values) for values in zip(*batches, strict=True)))


@dataclass(frozen=True, slots=True)
class Batching:
    """How patches are shuffled and joined to batches.

    Without a seed they come in the table's order. With one, whole clips are shuffled, then their patches
    among `mixed_patches`, anew in each epoch; that many, and one clip, are in memory (4096 embeddings of
    1024 numbers: 16 MB). `exclusive`: as in `clip_targets`.
    """

    batch_size: int = 128
    seed: int | None = None
    balance: Balance = "none"
    exclusive: bool = False
    mixed_patches: int = 4096


# targets are the same in every epoch; making them anew took half of a batch's time
_targets_of = lru_cache(maxsize=8192)(patch_targets)


def iterate_batches(source: PatchSource, batching: Batching, epoch: int = 0) -> Iterator[Batch]:
    """One epoch in batches of `batch_size` patches; the last one may be smaller.

    The same source, batching and epoch give the same batches.

    Raises:
        DataError: a clip that cannot be loaded, or a label that is not a class.
    """
    random = None if batching.seed is None else np.random.default_rng([batching.seed, epoch])
    order = np.arange(len(source.table.clips))
    if batching.balance == "resample":
        order = resampled_order(source.table, random or np.random.default_rng(0))
    elif random is not None:
        order = random.permutation(len(order))
    rest: list[Batch] = []
    for block in _gather(_load_clips(source, batching, order), batching.mixed_patches):
        shuffled = block if random is None else block.rows(random.permutation(len(block.weights)))
        rows = join_batches([*rest, shuffled])
        whole = len(rows.weights) // batching.batch_size * batching.batch_size
        for start in range(0, whole, batching.batch_size):
            yield rows.rows(slice(start, start + batching.batch_size))
        rest = [rows.rows(slice(whole, None))]
    if rest and len(rest[0].weights):
        yield rest[0]


def _load_clips(
    source: PatchSource, batching: Batching, order: Iterable[np.int64]
) -> Iterator[Batch]:
    weighted = batching.balance == "weights"
    table = source.table
    weights = class_weights(table) if weighted else np.ones(len(table.classes), np.float32)
    for index in order:
        clip = table.clips[index]
        patches = source.load(int(index))
        targets = _targets_of(
            clip,
            table.classes,
            len(patches.inputs),
            patches.seconds,
            source.features,
            exclusive=batching.exclusive,
        )
        yield Batch(patches.inputs, targets.values, targets.known, patch_weights(targets, weights))


def _gather(clips: Iterable[Batch], count: int) -> Iterator[Batch]:
    """Clips joined until they have `count` patches."""
    held: list[Batch] = []
    patches = 0
    for clip in clips:
        held.append(clip)
        patches += len(clip.weights)
        if patches >= count:
            yield join_batches(held)
            held, patches = [], 0
    if held:
        yield join_batches(held)


def make_dataset(source: PatchSource, batching: Batching) -> tf.data.Dataset:
    """A `Batch` of tensors at a time, made ahead; each iteration over the dataset is the next epoch.

    Raises:
        DataError: the source has no clips.
    """
    if not source.table.clips:
        raise DataError("expected at least one clip to learn from, found none")
    epochs = itertools.count()
    sources = [source]

    def batches() -> Iterator[Batch]:
        return iterate_batches(sources[0], batching, next(epochs))

    inputs = (None, *source.load(0).inputs.shape[1:])
    labels = (None, len(source.table.classes))
    shapes = (inputs, labels, labels, (None,))
    signature = Batch(*(tf.TensorSpec(shape, tf.float32) for shape in shapes))
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    # TensorFlow keeps the generator function for good: release the source, and all that it holds, with
    # the dataset
    weakref.finalize(dataset, sources.clear)
    return dataset.prefetch(PREFETCHED_BATCHES)
