"""The head on a backbone's embeddings, and the whole network that is trained or exported."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from trainer.model.compression import compress
from trainer.model.moments import Moments
from trainer.model.settings import Activation, HeadShape


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
