"""What of a backbone is frozen: a SavedModel as a whole, or all but the last blocks of YAMNet."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams, Preprocessing
from trainer.errors import BackboneError
from trainer.export.saved_model import PATCHES_SIGNATURE
from trainer.model.settings import Thawing

Function = Callable[[Any], Any]

PARITY_TOLERANCE = 1e-3  # of the largest embedding value; another log offset gives far more
BLOCKS = 14  # of YAMNet: the first convolution, and 13 separable ones
_BLOCK = re.compile(r"layer(\d+)_")


class FrozenNet(keras.layers.Layer):
    """A frozen graph as a Keras layer without weights: patches (B, frames, bands) -> (B, D)."""

    def __init__(self, function: Function, embedding_size: int) -> None:
        super().__init__(trainable=False, name="frozen")
        self._function = function
        self._embedding_size = embedding_size

    def call(self, patches: tf.Tensor) -> tf.Tensor:
        """The embeddings."""
        embeddings = self._function(patches)
        return tf.ensure_shape(embeddings, (None, self._embedding_size))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """(B, D)."""
        return (input_shape[0], self._embedding_size)


def read_patches_net(saved_model: Path, features: FeatureParams) -> keras.Model:
    """The net of a bundle's SavedModel, patches -> embeddings.

    Raises:
        BackboneError: no SavedModel, or one without the signature `patches` and its embeddings.
    """
    model = _load(
        saved_model
    )  # referenced here, because the signature refers to its variables weakly
    signature = model.signatures.get(PATCHES_SIGNATURE)
    outputs = {} if signature is None else signature.structured_outputs
    if "embeddings" not in outputs:
        raise BackboneError(
            f"{saved_model}: expected the signature {PATCHES_SIGNATURE} with embeddings, "
            f"found {sorted(outputs) or 'none'}"
        )
    frozen = convert_variables_to_constants_v2(signature)
    index = sorted(outputs).index("embeddings")  # a dict's outputs are flattened by sorted key
    return _net(frozen.prune(frozen.inputs[0], frozen.outputs[index]), features)


def read_waveform_net(saved_model: Path, features: FeatureParams) -> keras.Model:
    """The net inside a SavedModel that takes a waveform, as VGGish does on TF Hub.

    Called with a waveform, float32 (n,), the SavedModel gives (patches, D). In its frozen graph the
    log-mel patches are the last tensor of their shape. The part before them is cut off; the rest must
    give the same for our log-mel, without preprocessing, as the whole gives for the waveform.

    Raises:
        BackboneError: it takes or gives something else, or its front end is not `features`.
    """
    whole = _waveform_function(saved_model)
    frozen = convert_variables_to_constants_v2(whole)
    net = _net(_cut_at_patches(saved_model, frozen, features), features)
    _check_front_end(saved_model, whole, net, replace(features, preprocessing=Preprocessing()))
    return net


def _load(saved_model: Path) -> Any:
    try:
        return tf.saved_model.load(str(saved_model))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise BackboneError(f"{saved_model}: expected a SavedModel: {error}") from error


def _net(function: Function, features: FeatureParams) -> keras.Model:
    shape = (features.patch_frames, features.mel_bands)
    size = int(function(tf.zeros((1, *shape))).shape[-1])
    patches = keras.Input(shape, name="patches")
    return keras.Model(patches, FrozenNet(function, size)(patches), name="frozen")


def _waveform_function(saved_model: Path) -> Any:
    model = _load(saved_model)
    if not callable(model):
        raise BackboneError(f"{saved_model}: expected a model that is called with a waveform")
    try:
        waveform = tf.TensorSpec((None,), tf.float32)
        function = model.__call__.get_concrete_function(waveform)
    except (TypeError, ValueError) as error:
        raise BackboneError(
            f"{saved_model}: expected to be called with a waveform, float32 (n,): {error}"
        ) from error
    function.owner = model  # a function refers to its variables only weakly
    outputs = function.outputs
    if len(outputs) != 1 or outputs[0].shape.rank != 2 or outputs[0].dtype != tf.float32:  # noqa: PLR2004
        found = ", ".join(f"{tensor.dtype.name} {tensor.shape}" for tensor in outputs)
        raise BackboneError(f"{saved_model}: expected float32 (patches, D), found {found}")
    return function


def _cut_at_patches(saved_model: Path, frozen: Any, features: FeatureParams) -> Function:
    shape = [features.patch_frames, features.mel_bands]
    found = [
        tensor
        for operation in frozen.graph.get_operations()
        for tensor in operation.outputs
        if tensor.dtype == tf.float32
        and tensor.shape.rank is not None
        and tensor.shape.as_list()[1:] in (shape, [*shape, 1])
    ]
    if not found:
        raise BackboneError(f"{saved_model}: expected log-mel patches {shape} inside, found none")
    net = frozen.prune(found[-1], frozen.outputs[0])
    if found[-1].shape.rank == len(shape) + 1:
        return net
    return lambda patches: net(patches[..., tf.newaxis])


def _check_front_end(
    saved_model: Path, whole: Function, net: keras.Model, features: FeatureParams
) -> None:
    window = np.random.default_rng(0).normal(0.0, 0.1, features.window_samples).astype(np.float32)
    outputs = whole(tf.constant(window))
    expected = np.asarray(outputs[0] if isinstance(outputs, list | tuple) else outputs)[:1]
    difference = np.abs(net(log_mel_patches(window, features)) - expected).max()
    if not difference <= PARITY_TOLERANCE * np.abs(expected).max():
        raise BackboneError(
            f"{saved_model}: expected the front end {features}, "
            f"the embeddings differ by {difference:.2g}"
        )


def thaw(net: keras.Model, blocks: int) -> None:
    """Make the last `blocks` of YAMNet's blocks trainable, except their batch norms.

    Raises:
        BackboneError: not YAMNet, or not 0 to 14 blocks.
    """
    if not 0 <= blocks <= BLOCKS:
        raise BackboneError(f"thaw: expected 0 to {BLOCKS} blocks, got {blocks}")
    if blocks and not any(_BLOCK.match(layer.name) for layer in net.layers):
        raise BackboneError("thaw: expected YAMNet, this backbone cannot be fine-tuned")
    for layer in net.layers:
        # in Keras, a batch norm that is not trainable also keeps its moving mean and variance
        norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = not norm and block_of(layer.name) > BLOCKS - blocks


def block_of(layer_name: str) -> int:
    """1 to 14 for a layer of YAMNet's (`layer7_pointwise`: 7), 0 for any other."""
    match = _BLOCK.match(layer_name)
    return int(match[1]) if match else 0


def learning_rate_shares(model: keras.Model, thawing: Thawing) -> list[float]:
    """For each trainable variable, its share of the head's learning rate.

    The head has 1; for the blocks see `Thawing`.
    """
    blocks = [block_of(variable.path.split("/")[-2]) for variable in model.trainable_variables]
    return [
        thawing.rate_share * thawing.decay ** (BLOCKS - block) if block else 1.0 for block in blocks
    ]
