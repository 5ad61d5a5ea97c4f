"""Training: epochs over patches, early stopping by whole clips, the best weights kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.augment.patches import mix_up
from trainer.data.batches import Batch
from trainer.data.patches import PatchSource
from trainer.errors import FitError
from trainer.model.fine_tuning import learning_rate_shares
from trainer.model.progress import History, OnEpoch
from trainer.model.settings import Activation, FitSettings
from trainer.model.validation import make_judge

# What a network should lower: cross-entropy where somebody knows the answer, and a penalty.


def cross_entropy(
    logits: tf.Tensor,
    targets: tf.Tensor,
    known: tf.Tensor,
    weights: tf.Tensor,
    activation: Activation,
) -> tf.Tensor:
    """The mean over a batch, a scalar: logits, targets, known (B, K), weights (B,).

    Sigmoid: over the labels that are known. Softmax: over the patches of which anything is known. A
    batch without any gives 0.
    """
    if activation == "sigmoid":
        losses = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
        shares = known * weights[:, tf.newaxis]
    else:
        losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
        shares = tf.reduce_max(known, axis=1) * weights
    return tf.math.divide_no_nan(tf.reduce_sum(losses * shares), tf.reduce_sum(shares))


def smooth(targets: tf.Tensor, smoothing: float, activation: Activation) -> tf.Tensor:
    """Targets that are less sure: a share of each goes to all classes alike, or to a half."""
    even = 0.5 if activation == "sigmoid" else 1.0 / tf.cast(tf.shape(targets)[1], tf.float32)
    return (1.0 - smoothing) * targets + smoothing * even


def kernel_penalty(head: keras.Model, weight_decay: float) -> tf.Tensor:
    """Half the squared weights of the head's dense layers times `weight_decay`; biases are free."""
    kernels = [layer.kernel for layer in head.layers if isinstance(layer, keras.layers.Dense)]
    return weight_decay * tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])


# Adam with a rate of its own for each layer.


class LayeredAdam:
    """One Adam for each share of the learning rate.

    To scale the gradients instead would change nothing: Adam divides each by its own size.
    """

    def __init__(self, variables: Sequence[Any], shares: Sequence[float]) -> None:
        self._groups = {
            share: [n for n, other in enumerate(shares) if other == share] for share in shares
        }
        self._adams = {share: keras.optimizers.Adam(share) for share in self._groups}
        for share, places in self._groups.items():
            self._adams[share].build([variables[place] for place in places])
        self._variables = variables

    def set_rate(self, learning_rate: float) -> None:
        """The rate of a layer whose share is 1."""
        for share, adam in self._adams.items():
            adam.learning_rate.assign(share * learning_rate)

    def apply(self, gradients: Sequence[Any]) -> None:
        """One step; a gradient for each variable."""
        for share, places in self._groups.items():
            pairs = [(gradients[place], self._variables[place]) for place in places]
            self._adams[share].apply_gradients(pairs)


Step = Callable[[Batch], Any]  # learns from a batch, gives its loss


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network of logits, its weights those of the best epoch, and how it came there."""

    network: keras.Model
    history: History


def fit(
    network: keras.Model,
    train: Iterable[Batch],
    validation: Sequence[PatchSource],
    settings: FitSettings,
    on_epoch: OnEpoch | None = None,
) -> Fitted:
    """Train a network of logits; each iteration over `train` is an epoch.

    With `validation` (see `make_judge`), training stops when its loss no longer falls, and the weights
    of the best epoch come back; with none, after `max_epochs`. The same data, settings and network give
    the same weights.

    Raises:
        FitError: no patches to learn from, or a loss that is not a number.
        DataError: a clip that cannot be loaded.
    """
    keras.utils.set_random_seed(settings.seed)
    optimiser = make_optimiser(network, settings)
    step = make_step(network, optimiser, settings)
    judge = make_judge(network, validation, settings.activation)
    history, best = History(), network.get_weights()
    for number in range(1, settings.epochs + 1):
        optimiser.set_rate(_rate(settings, number))
        epoch = judge(number, _run_epoch(step, train, settings, number))
        history = history.plus(epoch)
        if on_epoch is not None:
            on_epoch(epoch)
        if history.best is epoch:
            best = network.get_weights()
        if history.is_over(settings.patience):
            break
    network.set_weights(best)
    return Fitted(network, history)


def make_optimiser(network: keras.Model, settings: FitSettings) -> LayeredAdam:
    """For what is trainable in the network."""
    shares = learning_rate_shares(network, settings.thawing)
    return LayeredAdam(network.trainable_variables, shares)


def make_step(network: keras.Model, optimiser: LayeredAdam, settings: FitSettings) -> Step:
    """One step of the optimiser as a graph."""
    head = _head_of(network)

    def step(inputs: Any, targets: Any, known: Any, weights: Any) -> Any:
        smoothed = smooth(targets, settings.label_smoothing, settings.activation)
        with tf.GradientTape() as tape:
            # batch norms are not trainable and stay as they are: only dropout knows of training
            logits = network(inputs, training=True)
            loss = cross_entropy(logits, smoothed, known, weights, settings.activation)
            total = loss + kernel_penalty(head, settings.weight_decay)
        optimiser.apply(tape.gradient(total, network.trainable_variables))
        return loss

    graph = tf.function(step, reduce_retracing=True)  # the last batch may be smaller
    return lambda batch: graph(*map(tf.convert_to_tensor, batch))


def _head_of(network: keras.Model) -> keras.Model:
    """The head by itself, or inside a joined network."""
    return next((layer for layer in network.layers if layer.name == "head"), network)


def _rate(settings: FitSettings, number: int) -> float:
    progress = (number - 1) / settings.max_epochs
    return settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))


def _run_epoch(step: Step, train: Iterable[Batch], settings: FitSettings, number: int) -> float:
    """The mean loss over the batches."""
    random = np.random.default_rng([settings.seed, number])
    losses = [step(_mixed(batch, settings, random)) for batch in train]
    if not losses:
        raise FitError("expected patches to learn from, got none")
    loss = float(np.mean(losses))
    if not math.isfinite(loss):
        raise FitError(f"epoch {number}: the loss is {loss}: try a lower learning rate")
    return loss


def _mixed(batch: Batch, settings: FitSettings, random: np.random.Generator) -> Batch:
    if not settings.mixup_alpha:
        return batch
    inputs, targets, known, weights = (np.asarray(part) for part in batch)
    mixed = mix_up(inputs, targets, known, settings.mixup_alpha, random)
    return Batch(*mixed, weights)
