"""The head on a backbone's embeddings, and the whole network that is trained or exported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from trainer.model.settings import Activation, HeadShape

# YAMNet's embeddings are means of what ReLUs let through: mostly near 0, seldom large. Their square
# roots are told apart better by a linear head, as histograms are (Hellinger kernel): in noise by 1 to
# 3 points, nested validation on ESC-10.
_KNEE = 0.01  # under it almost linear, so that rounding near 0 stays small
# What hardly changes among the clips learnt from is mostly chance, and is not blown up to the size of
# what does: of five signals each of three noises, this made 99.5 % right 100 %.
LEAST_SHARE = 0.4  # of the root mean square of all deviations; that of YAMNet's on ESC-10 is 0.4
LEAST_DEVIATION = 1e-3  # where nothing changes at all


# Embeddings with their peaks pressed down.


def compress(embeddings: Any) -> Any:
    """About the square root, with the sign kept: arrays or tensors of any shape; 0 stays 0."""
    ops = keras.ops
    size = ops.sqrt(ops.abs(embeddings) + _KNEE) - _KNEE**0.5
    return ops.sign(embeddings) * size


# Mean and deviation of compressed embeddings, in one pass over any number of them.


@dataclass(frozen=True, slots=True)
class Moments:
    """Per number of an embedding, float32 (D,) each; no deviation is under LEAST_SHARE of them all.

    `count` is of the embeddings.
    """

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    count: int


def measure_moments(batches: Iterable[NDArray[np.float32]]) -> Moments:
    """Of all embeddings in batches of (B, D), after `compress`.

    Raises:
        ValueError: no embeddings.
    """
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for batch in batches:
        exact = np.asarray(compress(batch), np.float64)
        count += len(exact)
        total = total + exact.sum(axis=0)
        squares = squares + np.square(exact).sum(axis=0)
    if count == 0:
        raise ValueError("moments: expected at least one embedding, got none")
    mean = total / count
    variance = np.maximum(squares / count - mean**2, 0.0)
    least = max(LEAST_SHARE * float(np.sqrt(variance.mean())), LEAST_DEVIATION)
    deviation = np.maximum(np.sqrt(variance), least)
    return Moments(mean.astype(np.float32), deviation.astype(np.float32), count)


def build_head(moments: Moments, class_count: int, shape: HeadShape) -> keras.Model:
    """Embeddings (B, D) -> logits (B, K); what comes in is compressed, then standardised.

    A linear head begins at zero: each class as likely as another.
    """
    embeddings = keras.Input((len(moments.mean),), name="embeddings")
    x = keras.layers.Rescaling(
        1.0 / moments.deviation, -moments.mean / moments.deviation, name="standardised"
    )(compress(embeddings))
    if shape.hidden:
        x = keras.layers.Dense(shape.hidden, "relu", name="hidden")(x)
    if shape.dropout:
        x = keras.layers.Dropout(shape.dropout, name="dropout")(x)
    first = "glorot_uniform" if shape.hidden else "zeros"
    logits = keras.layers.Dense(class_count, kernel_initializer=first, name="logits")(x)
    return keras.Model(embeddings, logits, name="head")


def join(net: keras.Model, head: keras.Model) -> keras.Model:
    """Patches (B, frames, bands) -> logits (B, K), for training through thawed blocks."""
    return keras.Model(net.input, head(net.output), name="network")


def build_exportable(
    net: keras.Model,
    moments: Moments,
    heads: Sequence[keras.Model],
    activation: Activation,
    label_count: int,
) -> keras.Model:
    """What a bundle holds: patches (B, frames, bands) -> scores (B, K), embeddings (B, D).

    The standardisation is folded into the first dense layer. Of several linear heads there remains
    one with their mean weights: the geometric mean of their answers. Of the outputs the first
    `label_count` are labels; what follows is background, and no score.

    Raises:
        ValueError: several heads that are not linear.
    """
    *hidden, last = fold(moments, mean_weights(heads))
    x = compress(net.output)
    for kernel, bias in hidden:
        x = ready_dense(kernel, bias, "relu", "hidden")(x)
    scores = ready_dense(*last, activation, "all_scores")(x)[:, :label_count]
    return keras.Model(net.input, {"scores": scores, "embeddings": net.output}, name="network")


Layer = tuple[NDArray[np.float32], NDArray[np.float32]]  # kernel (in, out), bias (out,)


def mean_weights(heads: Sequence[keras.Model]) -> list[Layer]:
    """The dense layers of the head, or the mean of several linear ones.

    Raises:
        ValueError: several heads that are not linear, or none.
    """
    layers = [_dense_layers(head) for head in heads]
    if len(layers) == 1:
        return layers[0]
    if not layers or any(len(layer) > 1 for layer in layers):
        raise ValueError("heads: expected one, or several linear ones, whose mean is linear")
    kernels, biases = zip(*(layer[0] for layer in layers), strict=True)
    return [(np.mean(kernels, axis=0), np.mean(biases, axis=0))]


def fold(moments: Moments, layers: list[Layer]) -> list[Layer]:
    """The same answers for compressed embeddings that are not standardised."""
    (kernel, bias), *rest = layers
    scaled = kernel / moments.deviation[:, None]
    return [(scaled, bias - moments.mean @ scaled), *rest]


def _dense_layers(head: keras.Model) -> list[Layer]:
    dense = [layer for layer in head.layers if isinstance(layer, keras.layers.Dense)]
    return [tuple(layer.get_weights()) for layer in dense]


def ready_dense(
    kernel: NDArray[np.float32], bias: NDArray[np.float32], activation: str, name: str
) -> keras.layers.Dense:
    """A dense layer that has its weights."""
    layer = keras.layers.Dense(len(bias), activation, name=name)
    layer.build((None, len(kernel)))
    layer.set_weights([kernel, bias])
    return layer
