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
from trainer.model.network import Moments, compress, fold, measure_moments
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
    *,
    only: NDArray[np.bool_] | None = None,
) -> LinearHead:
    """The head `start`, corrected by the components; the columns of their targets are its outputs.

    `named` are the columns that verdicts name, (M,). With `only`, (M,), independent scores (sigmoid) of
    other columns stay as they are, and these come out nearly as if all had been learnt.

    Raises:
        FitError: no patches, or a loss that is not a number.
    """
    keras.utils.set_random_seed(settings.seed)
    components = [each for each in components if len(each.rows.inputs)]
    moments = measure_moments(each.rows.inputs for each in components)
    learnt = np.ones(start.outputs, np.bool_)
    if settings.activation == "sigmoid":
        # The loss is the mean over the labels: one among YAMNet's 521 would hardly be learnt. So all that
        # nobody named weigh together as much as one that somebody did.
        weights = np.where(named, len(named), 1).astype(np.float32)
        if only is not None and only.any():
            learnt = only
            # the loss is a mean: with fewer columns each has more of it, and the penalty goes along
            share = float(weights[only].sum() / weights.sum())
            settings = replace(settings, weight_decay=settings.weight_decay / share)
        components = [
            replace(each, rows=each.rows._replace(known=each.rows.known * weights))
            for each in components
        ]
    ready = [replace(each, rows=_ready(each.rows, start, moments, learnt)) for each in components]
    batches = MixedBatches(ready, batch_size, settings.seed)
    # rows of `_ready` -> the logits of the start plus those of a correction that begins at zero
    size, outputs = len(moments.mean), int(learnt.sum())
    inputs = keras.Input((size + outputs,), name="embeddings_and_logits")
    correction = keras.layers.Dense(outputs, kernel_initializer="zeros", name=_CORRECTION)
    logits = keras.layers.Add()([inputs[:, size:], correction(inputs[:, :size])])
    network = keras.Model(inputs, logits, name="head")
    fitted = fit(network, batches, (), settings, on_epoch).network
    ((kernel, bias),) = fold(moments, [tuple(fitted.get_layer(_CORRECTION).get_weights())])
    compressed, all_bias = start.compressed.copy(), start.bias.copy()
    compressed[:, learnt] += kernel
    all_bias[learnt] += bias
    return replace(start, compressed=compressed, bias=all_bias)


def _ready(rows: Batch, start: LinearHead, moments: Moments, learnt: NDArray[np.bool_]) -> Batch:
    """The inputs are standardised, with the frozen logits beside them: once a row, not in each step."""
    standardised = (np.asarray(compress(rows.inputs)) - moments.mean) / moments.deviation
    logits = start.logits(rows.inputs)[:, learnt]
    inputs = np.concatenate((standardised, logits), axis=1, dtype=np.float32)
    return rows._replace(
        inputs=inputs, targets=rows.targets[:, learnt], known=rows.known[:, learnt]
    )
