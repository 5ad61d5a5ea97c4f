"""What folds of shuffled patches, instead of whole recordings, would have claimed.

Patches of one recording sound alike: a head that was trained on some of them knows the others. The figure
is measured only to be shown, as a warning, beside the honest one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import keras
import numpy as np
from numpy.typing import NDArray

from trainer.data.batches import Batch, Batching, iterate_batches, join_batches
from trainer.data.folds import shuffled_patch_folds
from trainer.data.patches import EmbeddedTable
from trainer.model.fit import fit
from trainer.model.network import build_head, measure_moments
from trainer.model.settings import Thawing
from trainer.training.recipe import Recipe
from trainer.training.sampling import Strided
from trainer.training.training_set import TrainingSet

MOST_PATCHES = 2000  # they are all in memory; of more clips, some are left out


@dataclass(frozen=True, slots=True)
class Leak:
    """Shares of patches that are told apart, cross-validated over so many folds.

    `by_recording` is honest: a head is tested on recordings that it was not trained on.
    """

    by_recording: float
    shuffled: float
    patches: int
    folds: int


def measure_leak(
    training_set: TrainingSet, recipe: Recipe, most_patches: int = MOST_PATCHES
) -> Leak | None:
    """The same head on the same number of patches, twice; None where there are no two folds.

    Raises:
        DataError: the cache lost an embedding meanwhile.
        FitError: see `fit`.
    """
    clips, stride = training_set.clips, training_set.stride
    step = -(-sum(_counts(clips, stride)) // most_patches)  # rounded up
    clips = replace(clips, clips=clips.clips[:: max(step, 1)])
    counts = _counts(clips, stride)
    honest = np.repeat([each.clip.fold for each in clips.clips], counts)
    folds = len(np.unique(honest))
    if folds < 2:  # noqa: PLR2004 - one to train on, one to test on
        return None
    batching = Batching(exclusive=recipe.fit.activation == "softmax")
    patches = join_batches(list(iterate_batches(Strided(clips, stride), batching)))
    leaky = np.concatenate(shuffled_patch_folds(counts, recipe.seed, folds))
    return Leak(
        by_recording=_cross_validate(patches, honest, recipe),
        shuffled=_cross_validate(patches, leaky, recipe),
        patches=len(patches.inputs),
        folds=folds,
    )


def _counts(clips: EmbeddedTable, stride: int) -> list[int]:
    return [-(-count // stride) for count in clips.patch_counts]


def _cross_validate(patches: Batch, folds: NDArray[np.int64], recipe: Recipe) -> float:
    """The share of labelled patches whose highest score is that of a label of theirs."""
    settings = replace(recipe.fit, thawing=Thawing())
    labelled = patches.targets.any(axis=1)
    right = np.zeros(len(folds), np.bool_)
    for fold in np.unique(folds):
        tested = folds == fold
        rest = patches.rows(~tested)
        keras.utils.set_random_seed(settings.seed)
        head = build_head(measure_moments([rest.inputs]), rest.targets.shape[1], settings.head)
        head = fit(head, _Shuffled(rest, recipe.batch_size, recipe.seed), (), settings).network
        best = np.asarray(head(patches.inputs[tested], training=False)).argmax(axis=1)
        right[tested] = patches.targets[tested][np.arange(len(best)), best] > 0
    return float(right[labelled].mean())


class _Shuffled:
    """Batches of one size, in another order each time; the last patches of an order may be left out."""

    def __init__(self, patches: Batch, size: int, seed: int) -> None:
        self._patches, self._size = patches, min(size, len(patches.inputs))
        self._random = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[Batch]:
        order = self._random.permutation(len(self._patches.inputs))
        for start in range(0, len(order) - self._size + 1, self._size):
            yield self._patches.rows(order[start : start + self._size])
