"""A correction of a bundle's head: what is learnt is added to what the head already knows.

The old head stays inside, frozen, and the weight decay pulls on the difference alone: of classes that
nobody spoke about it stays near zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np
from numpy.typing import NDArray

from trainer.data.batches import Batch
from trainer.model.fit import fit
from trainer.model.network import Moments, compress, fold, measure_moments, ready_dense
from trainer.model.settings import FitSettings
from trainer.model.validation import OnEpoch
from trainer.retraining.linear_head import LinearHead
from trainer.training.sampling import LEAST_STEPS

_CORRECTION = "correction"


@dataclass(frozen=True, slots=True)
class Part:
    """Patches that are learnt from, and which share of every batch they make."""

    rows: Batch
    share: float


class MixedBatches:
    """Batches of `size` patches, each part with its share; a small part comes round again and again.

    Patches are drawn by chance. An iteration is an epoch: as many batches as it takes to draw so many
    patches of the first part as it has, and at least LEAST_STEPS.
    """

    def __init__(self, parts: Sequence[Part], size: int, seed: int) -> None:
        self._parts = [part for part in parts if len(part.rows.inputs)]
        self._random = np.random.default_rng(seed)
        whole = sum(part.share for part in self._parts)
        self._counts = [max(1, round(size * part.share / whole)) for part in self._parts]

    def __iter__(self) -> Iterator[Batch]:
        steps = -(-len(self._parts[0].rows.inputs) // self._counts[0]) if self._parts else 0
        for _ in range(max(steps, LEAST_STEPS) if steps else 0):
            drawn = zip(self._parts, self._counts, strict=True)
            yield join_rows([self._draw(part, count) for part, count in drawn])

    def _draw(self, part: Part, count: int) -> Batch:
        chosen = self._random.integers(len(part.rows.inputs), size=count)
        rows = Batch(*(each[chosen] for each in part.rows))
        # so that a part's share of the loss is its share of the patches
        return rows._replace(weights=rows.weights / np.float32(part.rows.weights.mean()))


def join_rows(batches: Sequence[Batch]) -> Batch:
    """One after the other."""
    return Batch(*(np.concatenate(each) for each in zip(*batches, strict=True)))


def learn_correction(
    start: LinearHead,
    parts: Sequence[Part],
    settings: FitSettings,
    batch_size: int,
    named: NDArray[np.bool_],
    on_epoch: OnEpoch | None = None,
) -> LinearHead:
    """The head `start`, corrected by what the parts say; the targets' columns are its outputs.

    `named` are the columns that verdicts speak of by name, (M,).

    Raises:
        FitError: no patches, or a loss that is not a number.
    """
    keras.utils.set_random_seed(settings.seed)
    moments = measure_moments(part.rows.inputs for part in parts if len(part.rows.inputs))
    network = _build(start, moments)
    if settings.activation == "sigmoid":
        parts = [replace(part, rows=_weigh_named(part.rows, named)) for part in parts]
    batches = MixedBatches(parts, batch_size, settings.seed)
    fitted = fit(network, batches, (), settings, on_epoch).network
    learnt = tuple(fitted.get_layer(_CORRECTION).get_weights())
    ((kernel, bias),) = fold(moments, [learnt])
    return replace(start, compressed=start.compressed + kernel, bias=start.bias + bias)


def _weigh_named(rows: Batch, named: NDArray[np.bool_]) -> Batch:
    """All labels that nobody named weigh together as much as one that somebody did.

    With sigmoid the loss is the mean over the labels: one among YAMNet's 521 would hardly be learnt.
    """
    return rows._replace(known=rows.known * np.where(named, len(named), 1).astype(np.float32))


def _build(start: LinearHead, moments: Moments) -> keras.Model:
    embeddings = keras.Input((len(moments.mean),), name="embeddings")
    pressed = compress(embeddings)
    kernel = np.concatenate((start.raw, start.compressed))
    known = ready_dense(kernel, start.bias, "linear", "known")
    known.trainable = False
    standardised = keras.layers.Rescaling(
        1.0 / moments.deviation, -moments.mean / moments.deviation, name="standardised"
    )(pressed)
    correction = keras.layers.Dense(start.outputs, kernel_initializer="zeros", name=_CORRECTION)
    before = known(keras.layers.Concatenate()([embeddings, pressed]))
    logits = keras.layers.Add()([before, correction(standardised)])
    return keras.Model(embeddings, logits, name="head")
