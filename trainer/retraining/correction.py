"""A correction of a bundle's head: what verdicts teach is added to what the head already knows.

The old head stays inside, frozen, and the weight decay acts on the difference alone: for classes that no
verdict names the difference stays near zero.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np
from numpy.typing import NDArray

from trainer.data.batches import Batch, join_batches
from trainer.model.fit import fit
from trainer.model.network import Moments, compress, fold, measure_moments, ready_dense
from trainer.model.progress import OnEpoch
from trainer.model.settings import FitSettings
from trainer.retraining.linear_head import LinearHead
from trainer.training.sampling import LEAST_STEPS

_CORRECTION = "correction"


@dataclass(frozen=True, slots=True)
class Component:
    """Patches that are trained on, and their share of every batch."""

    rows: Batch
    share: float


class MixedBatches:
    """Batches of `size` patches, each component with its share; a small one comes round again and again.

    Patches are drawn at random. An iteration is an epoch: as many batches as it takes to draw as many
    patches of the first component as it has, and at least LEAST_STEPS.
    """

    def __init__(self, components: Sequence[Component], size: int, seed: int) -> None:
        self._components = [each for each in components if len(each.rows.inputs)]
        self._random = np.random.default_rng(seed)
        whole = sum(each.share for each in self._components)
        self._counts = [max(1, round(size * each.share / whole)) for each in self._components]

    def __iter__(self) -> Iterator[Batch]:
        if not self._components:
            return
        steps = -(-len(self._components[0].rows.inputs) // self._counts[0])  # rounded up
        for _ in range(max(steps, LEAST_STEPS)):
            drawn = []
            for component, count in zip(self._components, self._counts, strict=True):
                rows = component.rows
                chosen = rows.rows(self._random.integers(len(rows.inputs), size=count))
                # so that a component's share of the loss is its share of the patches
                weights = chosen.weights / np.float32(rows.weights.mean())
                drawn.append(chosen._replace(weights=weights))
            yield join_batches(drawn)


def fit_correction(
    start: LinearHead,
    components: Sequence[Component],
    settings: FitSettings,
    batch_size: int,
    named: NDArray[np.bool_],
    on_epoch: OnEpoch | None = None,
) -> LinearHead:
    """The head `start`, corrected by the components; the columns of their targets are its outputs.

    `named` are the columns that verdicts name, (M,).

    Raises:
        FitError: no patches, or a loss that is not a number.
    """
    keras.utils.set_random_seed(settings.seed)
    moments = measure_moments(each.rows.inputs for each in components if len(each.rows.inputs))
    if settings.activation == "sigmoid":
        # The loss is the mean over the labels: one among YAMNet's 521 would hardly be learnt. So all that
        # nobody named weigh together as much as one that somebody did.
        weights = np.where(named, len(named), 1).astype(np.float32)
        components = [
            replace(each, rows=each.rows._replace(known=each.rows.known * weights))
            for each in components
        ]
    batches = MixedBatches(components, batch_size, settings.seed)
    fitted = fit(_build(start, moments), batches, (), settings, on_epoch).network
    learnt = tuple(fitted.get_layer(_CORRECTION).get_weights())
    ((kernel, bias),) = fold(moments, [learnt])
    return replace(start, compressed=start.compressed + kernel, bias=start.bias + bias)


def _build(start: LinearHead, moments: Moments) -> keras.Model:
    """Embeddings (B, D) -> the frozen logits of `start` plus those of a correction that begins at zero."""
    embeddings = keras.Input((len(moments.mean),), name="embeddings")
    compressed = compress(embeddings)
    kernel = np.concatenate((start.raw, start.compressed))
    known = ready_dense(kernel, start.bias, "linear", "known")
    known.trainable = False
    standardised = keras.layers.Rescaling(
        1.0 / moments.deviation, -moments.mean / moments.deviation, name="standardised"
    )(compressed)
    correction = keras.layers.Dense(start.outputs, kernel_initializer="zeros", name=_CORRECTION)
    before = known(keras.layers.Concatenate()([embeddings, compressed]))
    logits = keras.layers.Add()([before, correction(standardised)])
    return keras.Model(embeddings, logits, name="head")
