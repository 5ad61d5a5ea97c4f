"""Batches of patches with their targets; only what is being mixed is in memory."""

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

_AHEAD = 4  # batches ready before they are asked for


# What to do when one class has many clips and another has few.


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


class Batch(NamedTuple):
    """Patches of a batch: inputs (B, ...), targets, known (B, K) as in `Targets`, weights (B,); float32."""

    inputs: NDArray[np.float32]
    targets: NDArray[np.float32]
    known: NDArray[np.float32]
    weights: NDArray[np.float32]

    def rows(self, which: slice | NDArray[np.int64] | NDArray[np.bool_]) -> Batch:
        """These patches alone, by their places or by a mask."""
        return Batch(*(part[which] for part in self))


def join_batches(batches: Sequence[Batch]) -> Batch:
    """One after the other."""
    return Batch(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))


@dataclass(frozen=True, slots=True)
class Batching:
    """How patches come together.

    Without a seed they come in the table's order. With one, clips are shuffled as a whole and their
    patches among some `mixed_patches`, anew in each epoch; that many, and one clip, are in memory
    (1024 embeddings: 16 MB). `exclusive`: as in `clip_targets`.
    """

    batch_size: int = 128
    seed: int | None = None
    balance: Balance = "none"
    exclusive: bool = False
    mixed_patches: int = 4096


# the same in every epoch, and several times in each: half of the time that a batch takes to be made
_targets_of = lru_cache(maxsize=8192)(patch_targets)


def iterate_batches(source: PatchSource, batching: Batching, epoch: int = 0) -> Iterator[Batch]:
    """One epoch: batches of `batch_size` patches, the last one may be smaller.

    The same source, batching and epoch give the same batches.

    Raises:
        DataError: a clip that cannot be loaded, or a label that is not a class.
    """
    random = None if batching.seed is None else np.random.default_rng([batching.seed, epoch])
    clips = _load_clips(source, batching, _order(source, batching, random))
    mixed = (_shuffled(rows, random) for rows in _gather(clips, batching.mixed_patches))
    return _cut(mixed, batching.batch_size)


def _order(
    source: PatchSource, batching: Batching, random: np.random.Generator | None
) -> NDArray[np.int64]:
    if batching.balance == "resample":
        return resampled_order(source.table, random or np.random.default_rng(0))
    count = len(source.table.clips)
    return np.arange(count) if random is None else random.permutation(count)


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
    """Clips put together until they have `count` patches."""
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


def _shuffled(rows: Batch, random: np.random.Generator | None) -> Batch:
    if random is None:
        return rows
    return rows.rows(random.permutation(len(rows.weights)))


def _cut(mixed: Iterable[Batch], size: int) -> Iterator[Batch]:
    """Batches of `size` rows, across the borders of what is mixed."""
    rest: list[Batch] = []
    for rows in mixed:
        joined = join_batches([*rest, rows])
        whole = len(joined.weights) // size * size
        for start in range(0, whole, size):
            yield joined.rows(slice(start, start + size))
        rest = [joined.rows(slice(whole, None))]
    if rest and len(rest[0].weights):
        yield rest[0]


# Batches as a `tf.data.Dataset`: they are made while the network learns from those before.


def make_dataset(source: PatchSource, batching: Batching) -> tf.data.Dataset:
    """A `Batch` of tensors at a time; each iteration over the data set is the next epoch.

    Raises:
        DataError: the source has no clips.
    """
    if not source.table.clips:
        raise DataError("expected at least one clip to learn from, found none")
    epochs = itertools.count()
    sources = [source]

    def batches() -> Iterator[Batch]:
        return iterate_batches(sources[0], batching, next(epochs))

    dataset = tf.data.Dataset.from_generator(batches, output_signature=_signature(source))
    # TensorFlow keeps the generator function for good: the source, and all that it holds, goes with the
    # data set
    weakref.finalize(dataset, sources.clear)
    return dataset.prefetch(_AHEAD)


def _signature(source: PatchSource) -> Batch:
    inputs = source.load(0).inputs.shape[1:]
    classes = len(source.table.classes)
    return Batch(
        tf.TensorSpec((None, *inputs), tf.float32),
        tf.TensorSpec((None, classes), tf.float32),
        tf.TensorSpec((None, classes), tf.float32),
        tf.TensorSpec((None,), tf.float32),
    )
