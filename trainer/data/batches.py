"""Batches of patches with their targets; only what is being mixed is in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.data.balance import Balance, class_weights, patch_weights, resampled_order
from trainer.data.patches import PatchSource
from trainer.data.targets import patch_targets


class Batch(NamedTuple):
    """Patches of a batch: inputs (B, ...), targets, known (B, K) as in `Targets`, weights (B,); float32."""

    inputs: NDArray[np.float32]
    targets: NDArray[np.float32]
    known: NDArray[np.float32]
    weights: NDArray[np.float32]


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
            yield _joined(held)
            held, patches = [], 0
    if held:
        yield _joined(held)


def _shuffled(rows: Batch, random: np.random.Generator | None) -> Batch:
    if random is None:
        return rows
    order = random.permutation(len(rows.weights))
    return Batch(*(part[order] for part in rows))


def _cut(mixed: Iterable[Batch], size: int) -> Iterator[Batch]:
    """Batches of `size` rows, across the borders of what is mixed."""
    rest: list[Batch] = []
    for rows in mixed:
        joined = _joined([*rest, rows])
        whole = len(joined.weights) // size * size
        for start in range(0, whole, size):
            yield _rows(joined, start, start + size)
        rest = [_rows(joined, whole, len(joined.weights))]
    if rest and len(rest[0].weights):
        yield rest[0]


def _rows(batch: Batch, start: int, end: int) -> Batch:
    return Batch(*(part[start:end] for part in batch))


def _joined(batches: Sequence[Batch]) -> Batch:
    return Batch(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))
