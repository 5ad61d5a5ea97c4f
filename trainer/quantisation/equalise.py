"""Equalise the ranges of YAMNet's channels, so that 8 bits serve all of them; its scores stay the same.

A ReLU lets a factor pass: the output of a layer in a channel may be divided by a number, if the kernel of
the next layer is multiplied by it (cross-layer equalisation, Nagel et al., arXiv:1906.04721). Here the
numbers come from the ranges of activations, because TFLite has one scale for all channels of an activation,
but one for each channel of a kernel.
"""

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

_MIN_SHARE = 1e-2  # of the widest channel; a narrower one hardly matters
_ACTIVATIONS_EXPONENT = (
    0.6  # how alike activations become at the cost of kernels; best of .5 to .75
)
_BATCH_PATCHES = 50

Values = NDArray[np.float32]
Variables = Mapping[str, Any]  # tf.Variable by name, `layer1_conv/kernel`


def equalise(
    saved_model: Path, patches: NDArray[np.float32], features: FeatureParams, out: Path
) -> Path:
    """Write the SavedModel with equalised weights to `out`; the path to use.

    That is `saved_model` itself if the model does not have YAMNet's layers. `patches` (n, 96, 64) show
    the ranges.
    """
    model = tf.saved_model.load(str(saved_model))
    variables = {
        variable.name.partition(":")[0]: variable
        for variable in model.signatures["patches"].variables
    }
    chain = _layer_names()
    if not all(f"{name}/kernel" in variables for name in chain):
        log.info("%s: has no YAMNet layers: int8 is made without equalisation", saved_model)
        return saved_model
    ranges = _ranges(variables, patches, features)
    for producer, consumer in pairwise(chain):
        _rescale(variables, producer, consumer, ranges[producer])
    tf.saved_model.save(model, str(out), signatures=dict(model.signatures))
    return out


def _layer_names() -> list[str]:
    """The convolutions in order."""
    blocks = range(2, 2 + len(SEPARABLE_BLOCKS))
    separable = [f"layer{n}_{kind}" for n in blocks for kind in ("depthwise", "pointwise")]
    return ["layer1_conv", *separable]


def _ranges(variables: Variables, patches: Values, features: FeatureParams) -> dict[str, Values]:
    """The largest activation in each channel after each convolution, by its name."""
    net = build_yamnet(1, features)
    for layer in net.layers:
        if layer.weights and layer.name != "scores":
            layer.set_weights([variables[f"{layer.name}/{w.name}"].numpy() for w in layer.weights])
    names = _layer_names()
    watched = keras.Model(net.input, [net.get_layer(f"{name}_relu").output for name in names])
    largest = [
        [tf.reduce_max(each, axis=(0, 1, 2)).numpy() for each in watched(batch, training=False)]
        for batch in np.array_split(patches, -(-len(patches) // _BATCH_PATCHES))
    ]
    return {name: np.max(found, axis=0) for name, *found in zip(names, *largest, strict=True)}


def _rescale(variables: Variables, producer: str, consumer: str, ranges: Values) -> None:
    """Divide the activations between two layers by factors, without a change of what comes out."""
    kernel = variables[f"{consumer}/kernel"]
    variance = variables[f"{producer}_bn/moving_variance"]
    offset = variables[f"{producer}_bn/beta"]
    wanted = channel_factors(ranges, None if "depthwise" in consumer else kernel.numpy())
    # no variance may become negative
    powers = variance.numpy() + BATCH_NORM_EPSILON
    factors = np.maximum(wanted, np.sqrt(BATCH_NORM_EPSILON / powers))
    variance.assign(powers * factors**2 - BATCH_NORM_EPSILON)
    offset.assign(offset.numpy() / factors)
    kernel.assign(kernel.numpy() * factors[:, None])


def channel_factors(ranges: Values, kernel: Values | None) -> Values:
    """The divisor of the activations of each channel, (C,); their geometric mean is 1.

    Args:
        ranges: the largest activations, (C,).
        kernel: of the pointwise layer that follows, (1, 1, C, outputs), which loses precision where its
            rows become unlike; None for a depthwise one, which has a scale for each channel.
    """
    wide = _floored(ranges)
    if kernel is not None:
        rows = _floored(np.abs(kernel).max(axis=(0, 1, 3)))
        wide = wide**_ACTIVATIONS_EXPONENT / rows ** (1.0 - _ACTIVATIONS_EXPONENT)
    factors: Values = wide / np.exp(np.log(wide).mean())
    return factors


def _floored(values: Values) -> Values:
    floored: Values = np.maximum(values, _MIN_SHARE * values.max())
    return floored
