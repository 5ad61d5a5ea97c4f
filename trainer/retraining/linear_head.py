"""The last layer of a bundle as plain matrices: read, extended, built again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from listener.engines.litert import LiteRTEngine
from trainer.errors import BackboneError
from trainer.model.network import compress, ready_dense
from trainer.model.settings import Activation

OUTPUT_LAYER, RAW_OUTPUT_LAYER = "all_scores", "scores"  # of `trainer fit`, of `trainer backbone`
_NEW_SCORE = 0.05  # of a new output at first
_TOLERANCE = 1e-3  # of scores, against the bundle's own

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LinearHead:
    """Logits (n, M) = raw embeddings @ `raw` + compressed embeddings @ `compressed` + `bias`.

    float32 (D, M), (D, M), (M,). A head of `trainer fit` has a `raw` of zeros, that of a published
    network a `compressed` of zeros. With softmax the last output may be the background.
    """

    raw: Matrix
    compressed: Matrix
    bias: Matrix

    @property
    def outputs(self) -> int:
        """M."""
        return len(self.bias)

    def logits(self, embeddings: Matrix) -> Matrix:
        """Of embeddings (n, D)."""
        compressed = np.asarray(compress(embeddings), np.float32)
        logits: Matrix = embeddings @ self.raw + compressed @ self.compressed + self.bias
        return logits

    def scores(self, embeddings: Matrix, activation: Activation) -> Matrix:
        """All M outputs in [0, 1], (n, M)."""
        return squash(self.logits(embeddings), activation)

    def with_outputs(self, outputs: Sequence[int | None], new_logit: float) -> LinearHead:
        """These outputs in this order; None is a new one, which gives the same logit for everything."""
        return replace(
            self,
            raw=_columns(self.raw, outputs, 0.0),
            compressed=_columns(self.compressed, outputs, 0.0),
            bias=_columns(self.bias[None], outputs, new_logit)[0],
        )

    def unlikely_logit(self, embeddings: Matrix, activation: Activation) -> float:
        """The logit with which a new output scores about 0.05, on embeddings such as these (n, D)."""
        if activation == "sigmoid":
            return math.log(_NEW_SCORE)
        logits = self.logits(embeddings)
        return float(np.logaddexp.reduce(logits, axis=1).mean()) + math.log(_NEW_SCORE)

    def build(self, net: keras.Model, activation: Activation, label_count: int) -> keras.Model:
        """What a bundle holds, on a net that gives embeddings; see `build_exportable`."""
        inputs, kernel = compress(net.output), self.compressed
        if self.raw.any():
            inputs = keras.layers.Concatenate()([net.output, inputs])
            kernel = np.concatenate((self.raw, self.compressed))
        scores = ready_dense(kernel, self.bias, activation, OUTPUT_LAYER)(inputs)
        outputs = {"scores": scores[:, :label_count], "embeddings": net.output}
        return keras.Model(net.input, outputs, name="network")


def squash(logits: Matrix, activation: Activation) -> Matrix:
    """Logits (n, M) as scores."""
    if activation == "sigmoid":
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0))), np.float32)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _columns(matrix: Matrix, columns: Sequence[int | None], missing: float) -> Matrix:
    new = np.full(len(matrix), missing, np.float32)
    return np.stack([new if column is None else matrix[:, column] for column in columns], axis=1)


def read_head(bundle: Bundle) -> LinearHead:
    """The head of a bundle, from its SavedModel, checked against the scores of its model.tflite.

    Raises:
        BackboneError: no SavedModel, or the last layer is not all of the head.
    """
    if bundle.saved_model_path is None:
        raise BackboneError(f"{bundle.path}: expected a bundle with saved_model/, found none")
    model: Any = tf.saved_model.load(str(bundle.saved_model_path))
    weights = {each.name.partition(":")[0]: each.numpy() for each in model.variables}
    engine = LiteRTEngine(bundle.model_path)
    golden = bundle.read_golden()
    patches = log_mel_patches(golden.waveform, bundle.manifest.features)
    scores, embeddings = engine.infer(patches)
    head = _find_head(weights, embeddings.shape[1])
    if head is not None:
        found = head.scores(embeddings, bundle.manifest.activation)[:, : len(bundle.labels)]
        if found.shape == scores.shape and np.abs(found - scores).max() <= _TOLERANCE:
            return head
    raise BackboneError(
        f"{bundle.path}: expected a linear head on the embeddings, as `trainer fit` makes it by "
        f"default, found {', '.join(sorted(weights)[-4:]) or 'no weights'}"
    )


def _find_head(weights: dict[str, Matrix], size: int) -> LinearHead | None:
    """By the names of the layers; None if there is none of the right shape."""
    for layer in (OUTPUT_LAYER, RAW_OUTPUT_LAYER):
        if f"{layer}/kernel" not in weights:
            continue
        kernel, bias = weights[f"{layer}/kernel"], weights[f"{layer}/bias"]
        zeros = np.zeros((size, len(bias)), np.float32)
        if len(kernel) == 2 * size:
            return LinearHead(kernel[:size], kernel[size:], bias)
        if len(kernel) == size:
            is_raw = layer == RAW_OUTPUT_LAYER
            return LinearHead(kernel if is_raw else zeros, zeros if is_raw else kernel, bias)
    return None
