"""What shuffling patches over folds, instead of whole recordings, would have claimed.

Patches of one recording sound alike: a head that learnt from some of them knows the others. The figure is
measured only to be shown, as a warning, beside the honest one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import keras
import numpy as np
from numpy.typing import NDArray

from trainer.data.batches import Batch, Batching, iterate_batches
from trainer.data.folds import shuffled_patch_folds
from trainer.data.patches import EmbeddedTable
from trainer.model.fit import fit
from trainer.model.network import build_head, measure_moments
from trainer.model.settings import Thawing
from trainer.training.recipe import Recipe
from trainer.training.sampling import Strided
from trainer.training.training_set import TrainingSet

MOST_PATCHES = 2000  # they are all in memory; of more clips, some are left out


Folds = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Leak:
    """Shares of patches that are told apart, cross-validated over so many folds.

    `by_recording` is honest: no patch of a recording was learnt from before another of it was tested.
    """

    by_recording: float
    shuffled: float
    patches: int
    folds: int


def measure_leak(
    material: TrainingSet, lesson: Recipe, most_patches: int = MOST_PATCHES
) -> Leak | None:
    """The same head on the same number of patches, twice; None where there are no two folds.

    Raises:
        DataError: the cache lost an embedding meanwhile.
        FitError: see `fit`.
    """
    clips = _few(material.clips, material.stride, most_patches)
    honest = np.repeat([each.clip.fold for each in clips.clips], _counts(clips, material.stride))
    folds = len(np.unique(honest))
    if folds < 2:  # noqa: PLR2004 - one to learn from, one to test on
        return None
    patches = _gather(clips, material.stride, lesson)
    leaky = np.concatenate(
        shuffled_patch_folds(_counts(clips, material.stride), lesson.seed, folds)
    )
    return Leak(
        by_recording=_cross_validate(patches, honest, lesson),
        shuffled=_cross_validate(patches, leaky, lesson),
        patches=len(patches.inputs),
        folds=folds,
    )


def _few(clips: EmbeddedTable, stride: int, most_patches: int) -> EmbeddedTable:
    """Every n-th clip, so that there are about so many patches at most."""
    step = -(-sum(_counts(clips, stride)) // most_patches)  # rounded up
    return replace(clips, clips=clips.clips[:: max(step, 1)])


def _counts(clips: EmbeddedTable, stride: int) -> list[int]:
    return [-(-count // stride) for count in clips.patch_counts]


def _gather(clips: EmbeddedTable, stride: int, lesson: Recipe) -> Batch:
    """All patches in the order of the clips."""
    batching = Batching(exclusive=lesson.fit.activation == "softmax")
    batches = iterate_batches(Strided(clips, stride), batching)
    return Batch(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))


def _cross_validate(patches: Batch, folds: Folds, lesson: Recipe) -> float:
    """The share of labelled patches whose highest score is a label of theirs."""
    labelled = patches.targets.any(axis=1)
    right = np.zeros(len(folds), np.bool_)
    for fold in np.unique(folds):
        tested = folds == fold
        head = _train(_rows(patches, ~tested), lesson)
        best = np.asarray(head(patches.inputs[tested], training=False)).argmax(axis=1)
        right[tested] = patches.targets[tested][np.arange(len(best)), best] > 0
    return float(right[labelled].mean())


def _train(patches: Batch, lesson: Recipe) -> keras.Model:
    settings = replace(lesson.fit, thawing=Thawing())
    keras.utils.set_random_seed(settings.seed)
    moments = measure_moments([patches.inputs])
    head = build_head(moments, patches.targets.shape[1], settings.head)
    return fit(head, _Shuffled(patches, lesson.batch_size, lesson.seed), (), settings).network


class _Shuffled:
    """Batches of one size, in another order each time; what is left over may come the next time."""

    def __init__(self, patches: Batch, size: int, seed: int) -> None:
        self._patches, self._size = patches, min(size, len(patches.inputs))
        self._random = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[Batch]:
        order = self._random.permutation(len(self._patches.inputs))
        for start in range(0, len(order) - self._size + 1, self._size):
            yield _rows(self._patches, order[start : start + self._size])


def _rows(patches: Batch, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Batch:
    return Batch(*(part[rows] for part in patches))
