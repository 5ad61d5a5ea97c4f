"""Training: losses, optimiser, epochs over patches, early stopping by whole clips."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trainer.data.batches import Batch
from trainer.data.patches import PatchSource
from trainer.errors import FitError
from trainer.model.fine_tuning import learning_rate_shares
from trainer.model.progress import History, OnEpoch
from trainer.model.settings import Activation, FitSettings
from trainer.model.validation import make_validator

Floats = NDArray[np.float32]
Step = Callable[[Batch], Any]  # trains on a batch and returns its loss


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network of logits with the weights of the best epoch, and its learning curves."""

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

    With `validation` (see `make_validator`), training stops when its loss no longer falls, and the
    weights of the best epoch are restored; without it, after `max_epochs`. The same data, settings and
    network give the same weights.

    Raises:
        FitError: no patches to learn from, or a loss that is not a number.
        DataError: a clip that cannot be loaded.
    """
    keras.utils.set_random_seed(settings.seed)
    shares = learning_rate_shares(network, settings.thawing)
    optimiser = LayeredAdam(network.trainable_variables, shares)
    step = _make_step(network, optimiser, settings)
    validate = make_validator(network, validation, settings.activation)
    history, best = History(), network.get_weights()
    for number in range(1, settings.epochs + 1):
        progress = (number - 1) / settings.max_epochs
        optimiser.set_rate(settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress)))
        epoch = validate(number, _run_epoch(step, train, settings, number))
        history = history.plus(epoch)
        if on_epoch is not None:
            on_epoch(epoch)
        if history.best is epoch:
            best = network.get_weights()
        if history.is_over(settings.patience):
            break
    network.set_weights(best)
    return Fitted(network, history)


def _make_step(network: keras.Model, optimiser: LayeredAdam, settings: FitSettings) -> Step:
    """One step of the optimiser as a graph."""
    # the head by itself, or inside a joined network
    head = next((layer for layer in network.layers if layer.name == "head"), network)

    def step(inputs: Any, targets: Any, known: Any, weights: Any) -> Any:
        smoothed = smooth(targets, settings.label_smoothing, settings.activation)
        with tf.GradientTape() as tape:
            # batch norms are not trainable and do not change: only dropout depends on `training`
            logits = network(inputs, training=True)
            loss = cross_entropy(logits, smoothed, known, weights, settings.activation)
            total = loss + kernel_penalty(head, settings.weight_decay)
        optimiser.apply(tape.gradient(total, network.trainable_variables))
        return loss

    graph = tf.function(step, reduce_retracing=True)  # the last batch may be smaller
    return lambda batch: graph(*map(tf.convert_to_tensor, batch))


def _run_epoch(step: Step, train: Iterable[Batch], settings: FitSettings, number: int) -> float:
    """The mean loss over the batches."""
    random = np.random.default_rng([settings.seed, number])
    losses = []
    for batch in train:
        if settings.mixup_alpha:
            inputs, targets, known, weights = (np.asarray(values) for values in batch)
            mixed = mix_up(inputs, targets, known, settings.mixup_alpha, random)
            losses.append(step(Batch(*mixed, weights)))
        else:
            losses.append(step(batch))
    if not losses:
        raise FitError("expected patches to learn from, got none")
    loss = float(np.mean(losses))
    if not math.isfinite(loss):
        raise FitError(f"epoch {number}: the loss is {loss}: try a lower learning rate")
    return loss


def cross_entropy(
    logits: tf.Tensor,
    targets: tf.Tensor,
    known: tf.Tensor,
    weights: tf.Tensor,
    activation: Activation,
) -> tf.Tensor:
    """The mean over a batch, a scalar: logits, targets, known (B, K), weights (B,).

    Sigmoid: over the labels that are known. Softmax: over the patches with any known label. If nothing
    is known it is 0.
    """
    if activation == "sigmoid":
        losses = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
        shares = known * weights[:, tf.newaxis]
    else:
        losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
        shares = tf.reduce_max(known, axis=1) * weights
    return tf.math.divide_no_nan(tf.reduce_sum(losses * shares), tf.reduce_sum(shares))


def smooth(targets: tf.Tensor, smoothing: float, activation: Activation) -> tf.Tensor:
    """Label smoothing: a share of each target is spread over all classes, or for sigmoid set to a half."""
    even = 0.5 if activation == "sigmoid" else 1.0 / tf.cast(tf.shape(targets)[1], tf.float32)
    return (1.0 - smoothing) * targets + smoothing * even


def kernel_penalty(head: keras.Model, weight_decay: float) -> tf.Tensor:
    """`weight_decay` times half the squared kernels of the head's dense layers; biases are free."""
    kernels = [layer.kernel for layer in head.layers if isinstance(layer, keras.layers.Dense)]
    return weight_decay * tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])


class LayeredAdam:
    """Adam with its own learning rate for each layer: one Adam for each share of the rate.

    Scaling the gradients instead would have no effect, because Adam divides each by its own size.
    """

    def __init__(self, variables: Sequence[Any], shares: Sequence[float]) -> None:
        self._groups = {
            share: [n for n, other in enumerate(shares) if other == share] for share in shares
        }
        self._adams = {share: keras.optimizers.Adam(share) for share in self._groups}
        for share, indices in self._groups.items():
            self._adams[share].build([variables[index] for index in indices])
        self._variables = variables

    def set_rate(self, learning_rate: float) -> None:
        """Set the learning rate of a layer whose share is 1."""
        for share, adam in self._adams.items():
            adam.learning_rate.assign(share * learning_rate)

    def apply(self, gradients: Sequence[Any]) -> None:
        """Take one step, with a gradient for each variable."""
        for share, indices in self._groups.items():
            pairs = [(gradients[index], self._variables[index]) for index in indices]
            self._adams[share].apply_gradients(pairs)


def mix_up(
    inputs: Floats, targets: Floats, known: Floats, alpha: float, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Each example blended with another one (Zhang et al., arXiv:1710.09412).

    (B, ...), (B, K), (B, K) -> the same shapes. The share of the first is drawn from
    Beta(alpha, alpha) and at least a half, so that an example stays mostly itself. A target is known
    only where it is known of both.
    """
    partner = rng.permutation(len(inputs))
    share = rng.beta(alpha, alpha, len(inputs)).astype(np.float32)
    share = np.maximum(share, 1.0 - share)
    return (
        _blend(inputs, inputs[partner], share),
        _blend(targets, targets[partner], share),
        known * known[partner],
    )


def _blend(first: Floats, second: Floats, share: Floats) -> Floats:
    share = share.reshape(-1, *(1,) * (first.ndim - 1))
    return share * first + (1.0 - share) * second
