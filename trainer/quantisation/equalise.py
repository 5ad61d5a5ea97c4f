"""YAMNet's channels brought to like ranges, so that 8 bits serve all of them; its scores stay the same.

A ReLU lets a factor through: what a layer gives in a channel may be divided by a number, if the kernel of
the next layer is multiplied by it (cross-layer equalisation, Nagel et al., arXiv:1906.04721). Here the
numbers come from the ranges of activations, because TFLite has one scale for all channels of those, and one
for each channel of a kernel.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from listener.detection.params import FeatureParams
from trainer.model.yamnet import BATCH_NORM_EPSILON, SEPARABLE_BLOCKS, build_yamnet

log = logging.getLogger(__name__)

_LEAST_SHARE = 1e-2  # of the widest channel; what is narrower is hardly heard
_TO_ACTIVATIONS = (
    0.6  # how far activations become alike at the cost of kernels; of .5 to .75 the best
)
_BATCH = 50


Values = NDArray[np.float32]
Variables = Mapping[str, Any]  # tf.Variable by name, `layer1_conv/kernel`


def equalise(
    saved_model: Path, patches: NDArray[np.float32], features: FeatureParams, out: Path
) -> Path:
    """Write the SavedModel with other weights to `out`; its own path, if it is not on YAMNet's layers.

    `patches` (n, 96, 64) show the ranges.
    """
    model = tf.saved_model.load(str(saved_model))
    variables = {
        variable.name.partition(":")[0]: variable
        for variable in model.signatures["patches"].variables
    }
    chain = _layer_names()
    if not all(f"{name}/kernel" in variables for name in chain):
        log.info("%s: not on YAMNet's layers: int8 is made of it as it is", saved_model)
        return saved_model
    ranges = _ranges(variables, patches, features)
    for producer, consumer in pairwise(chain):
        _move(variables, producer, consumer, ranges[producer])
    tf.saved_model.save(model, str(out), signatures=dict(model.signatures))
    return out


def _layer_names() -> list[str]:
    """The convolutions in their order."""
    blocks = range(2, 2 + len(SEPARABLE_BLOCKS))
    separable = [f"layer{n}_{kind}" for n in blocks for kind in ("depthwise", "pointwise")]
    return ["layer1_conv", *separable]


def _ranges(variables: Variables, patches: Values, features: FeatureParams) -> dict[str, Values]:
    """The largest activation in each channel behind each convolution, by its name."""
    net = build_yamnet(1, features)
    for layer in net.layers:
        if layer.weights and layer.name != "scores":
            layer.set_weights([variables[f"{layer.name}/{w.name}"].numpy() for w in layer.weights])
    names = _layer_names()
    watched = keras.Model(net.input, [net.get_layer(f"{name}_relu").output for name in names])
    largest = [
        [tf.reduce_max(each, axis=(0, 1, 2)).numpy() for each in watched(batch, training=False)]
        for batch in np.array_split(patches, -(-len(patches) // _BATCH))
    ]
    return {name: np.max(found, axis=0) for name, *found in zip(names, *largest, strict=True)}


def _move(variables: Variables, producer: str, consumer: str, ranges: Values) -> None:
    kernel = variables[f"{consumer}/kernel"]
    variance = variables[f"{producer}_bn/moving_variance"]
    offset = variables[f"{producer}_bn/beta"]
    wanted = channel_factors(ranges, None if "depthwise" in consumer else kernel.numpy())
    # so that no variance becomes less than 0
    powers = variance.numpy() + BATCH_NORM_EPSILON
    factors = np.maximum(wanted, np.sqrt(BATCH_NORM_EPSILON / powers))
    variance.assign(powers * factors**2 - BATCH_NORM_EPSILON)
    offset.assign(offset.numpy() / factors)
    kernel.assign(kernel.numpy() * factors[:, None])


def channel_factors(ranges: Values, kernel: Values | None) -> Values:
    """What the activations of each channel are divided by, (C,), of mean 1 in logarithms.

    Args:
        ranges: the largest activations, (C,).
        kernel: of a pointwise layer behind, (1, 1, C, outputs), whose scales suffer where its rows become
            unlike; None for a depthwise one, which has a scale for each channel.
    """
    wide = _floored(ranges)
    if kernel is not None:
        rows = _floored(np.abs(kernel).max(axis=(0, 1, 3)))
        wide = wide**_TO_ACTIVATIONS / rows ** (1.0 - _TO_ACTIVATIONS)
    factors: Values = wide / np.exp(np.log(wide).mean())
    return factors


def _floored(values: Values) -> Values:
    floored: Values = np.maximum(values, _LEAST_SHARE * values.max())
    return floored
