"""The starter's network: MobileNet v1's separable blocks (arXiv:1704.04861), small and our own."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from listener.detection.params import FeatureParams

FIRST_FILTERS = 24
BLOCKS = (  # (stride, filters) of the separable blocks after the first convolution
    (2, 48),
    (1, 64),
    (2, 128),
    (1, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (1, 384),
)
EMBEDDING_SIZE = BLOCKS[-1][1]
_LOG_MEL_MEAN, _LOG_MEL_DEVIATION = (
    -3.0,
    3.0,
)  # about those of any sound, so that learning starts well
_DROPOUT = 0.3


def build_network(label_count: int, params: FeatureParams) -> keras.Model:
    """An untrained network: log-mel patches (B, 96, 64) -> scores (B, K), embeddings (B, 384).

    The scores are sigmoids, one independent score a label. About 270 000 weights, 13 million
    multiplications a patch, a fifth of YAMNet's.
    """
    patches = keras.Input((params.patch_frames, params.mel_bands), name="patches")
    x = keras.layers.Reshape((params.patch_frames, params.mel_bands, 1))(patches)
    x = keras.layers.Rescaling(1 / _LOG_MEL_DEVIATION, -_LOG_MEL_MEAN / _LOG_MEL_DEVIATION)(x)
    x = keras.layers.Conv2D(FIRST_FILTERS, 3, 2, "same", use_bias=False)(x)
    x = _normalised(x)
    for stride, filters in BLOCKS:
        x = _normalised(keras.layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x))
        x = _normalised(keras.layers.Conv2D(filters, 1, use_bias=False)(x))
    embeddings = keras.layers.GlobalAveragePooling2D(name="embeddings")(x)
    dropped = keras.layers.Dropout(_DROPOUT)(embeddings)
    scores = keras.layers.Dense(label_count, activation="sigmoid", name="scores")(dropped)
    return keras.Model(patches, {"scores": scores, "embeddings": embeddings}, name="starter")


def _normalised(x: Any) -> Any:
    return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))


class NetworkEngine:
    """A Keras network as an `Engine`, so that it is measured as the daemon would run it."""

    def __init__(self, network: keras.Model) -> None:
        shape = (None, *network.input_shape[1:])
        # one graph for every batch size; predict_on_batch traces a new one for each
        self._infer = tf.function(
            lambda patches: network(patches, training=False),
            input_signature=[tf.TensorSpec(shape, tf.float32)],
        )

    def infer(
        self, patches: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Log-mel patches (B, 96, 64) -> scores (B, K), embeddings (B, D); see `Engine`."""
        outputs = self._infer(patches)
        return outputs["scores"].numpy(), outputs["embeddings"].numpy()
