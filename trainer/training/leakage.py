"""What folds of shuffled patches, instead of whole recordings, would have claimed.

Patches of one recording sound alike: a head that was trained on some of them knows the others. The figure
is measured only to be shown, as a warning, beside the honest one.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainer.data.batches import Batch, Batching, iterate_batches, join_batches
from trainer.data.folds import shuffled_patch_folds
from trainer.data.patches import EmbeddedTable
from trainer.model.logistic import LogisticFitter
from trainer.training.choice import USUAL_STRENGTH
from trainer.training.recipe import Recipe
from trainer.training.sampling import Strided
from trainer.training.training_set import TrainingSet

CLIPS_IN_A_PATCH = 0.1  # about: ESC-10 has ten patches in a clip
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
    labelled = patches.targets.any(axis=1)
    right = np.zeros(len(folds), np.bool_)
    weights = np.full(len(folds), CLIPS_IN_A_PATCH, np.float32)
    patches = patches._replace(weights=weights)
    for fold in np.unique(folds):
        tested = folds == fold
        fitter = LogisticFitter(patches.rows(~tested), recipe.fit.activation)
        head = fitter.fit(USUAL_STRENGTH)
        best = np.asarray(head(patches.inputs[tested], training=False)).argmax(axis=1)
        right[tested] = patches.targets[tested][np.arange(len(best)), best] > 0
    return float(right[labelled].mean())
