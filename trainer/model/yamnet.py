"""YAMNet as a Keras model over log-mel patches, its weights read from the published SavedModel.

The network is MobileNet v1 without biases (Howard et al., arXiv:1704.04861) as the YAMNet reference
builds it. google/yamnet/1 cannot be fine-tuned through its own signature, so the layers are built
here and the variables are read by name.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from listener.detection.params import FeatureParams
from trainer.errors import BackboneError

EMBEDDING_SIZE = 1024
BATCH_NORM_EPSILON = 1e-4
FIRST_FILTERS, FIRST_STRIDE = 32, 2
SEPARABLE_BLOCKS = (  # (stride, filters) of the 13 blocks after the first convolution
    (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512),
    (1, 512), (1, 512), (1, 512), (1, 512), (1, 512), (2, 1024), (1, 1024),
)  # fmt: skip
_VARIABLE = re.compile(r"_yamnet/layer_with_weights-(\d+)/(\w+)/\.ATTRIBUTES/VARIABLE_VALUE")


@dataclass(frozen=True, slots=True)
class AudioSetClass:
    """One of the 521 classes: its display name as AudioSet's ontology writes it, and its MID."""

    name: str
    mid: str


def build_yamnet(class_count: int, params: FeatureParams) -> keras.Model:
    """An untrained YAMNet: log-mel patches (B, 96, 64) -> scores (B, K), embeddings (B, 1024).

    The scores are sigmoids, one independent score a class.
    """
    patch = keras.Input((params.patch_frames, params.mel_bands), name="patches")
    x = keras.layers.Reshape((params.patch_frames, params.mel_bands, 1))(patch)
    x = keras.layers.Conv2D(
        FIRST_FILTERS, 3, FIRST_STRIDE, "same", use_bias=False, name="layer1_conv"
    )(x)
    x = _normalised(x, "layer1_conv")
    for number, (stride, filters) in enumerate(SEPARABLE_BLOCKS, start=2):
        name = f"layer{number}_depthwise"
        x = keras.layers.DepthwiseConv2D(3, stride, "same", use_bias=False, name=name)(x)
        x = _normalised(x, name)
        name = f"layer{number}_pointwise"
        x = keras.layers.Conv2D(filters, 1, 1, "same", use_bias=False, name=name)(x)
        x = _normalised(x, name)
    embedding = keras.layers.GlobalAveragePooling2D(name="embeddings")(x)
    scores = keras.layers.Dense(class_count, activation="sigmoid", name="scores")(embedding)
    return keras.Model(patch, {"scores": scores, "embeddings": embedding}, name="yamnet")


def _normalised(x: Any, name: str) -> Any:
    x = keras.layers.BatchNormalization(
        center=True, scale=False, epsilon=BATCH_NORM_EPSILON, name=f"{name}_bn"
    )(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def load_yamnet(saved_model: Path, params: FeatureParams) -> keras.Model:
    """YAMNet with the published weights of a SavedModel directory.

    Raises:
        BackboneError: the variables of the checkpoint are not YAMNet's.
    """
    variables = _read_variables(saved_model)
    last = max(variables, default=-1)
    if "bias" not in variables.get(last, {}):
        raise BackboneError(
            f"{saved_model}: expected YAMNet's variables "
            f"(_yamnet/layer_with_weights-<n>/...), found none of them"
        )
    model = build_yamnet(variables[last]["bias"].shape[0], params)
    weighted = [layer for layer in model.layers if layer.weights]
    if sorted(variables) != list(range(len(weighted))):
        raise BackboneError(
            f"{saved_model}: expected {len(weighted)} layers with weights, found {len(variables)}"
        )
    for number, layer in enumerate(weighted):
        _assign(layer, variables[number], saved_model)
    return model


def load_yamnet_embedder(saved_model: Path, params: FeatureParams) -> keras.Model:
    """YAMNet without its classes: patches (B, 96, 64) -> embeddings (B, 1024).

    Raises:
        BackboneError: the variables of the checkpoint are not YAMNet's.
    """
    whole = load_yamnet(saved_model, params)
    return keras.Model(whole.input, whole.output["embeddings"], name="yamnet")


def holds_yamnet(saved_model: Path) -> bool:
    """Whether the directory's variables have the names of YAMNet's.

    Raises:
        BackboneError: it has no variables at all.
    """
    return bool(_read_variables(saved_model))


def _read_variables(saved_model: Path) -> dict[int, dict[str, np.ndarray]]:
    try:
        checkpoint = tf.train.load_checkpoint(str(saved_model / "variables" / "variables"))
    except (ValueError, tf.errors.OpError) as error:
        raise BackboneError(
            f"{saved_model}: expected a SavedModel with variables/: {error}"
        ) from error
    layers: dict[int, dict[str, np.ndarray]] = {}
    for name in checkpoint.get_variable_to_shape_map():
        if match := _VARIABLE.fullmatch(name):
            layers.setdefault(int(match[1]), {})[match[2]] = checkpoint.get_tensor(name)
    return layers


def _assign(layer: keras.layers.Layer, values: dict[str, np.ndarray], source: Path) -> None:
    for weight in layer.weights:
        # Keras 3 names a depthwise kernel "kernel", the checkpoint of Keras 2 "depthwise_kernel"
        value = values.get(weight.name, values.get(f"depthwise_{weight.name}"))
        if value is None or value.shape != tuple(weight.shape):
            found = "nothing" if value is None else str(value.shape)
            raise BackboneError(
                f"{source}: expected {layer.name}/{weight.name} {tuple(weight.shape)}, "
                f"found {found}"
            )
        weight.assign(value)


def read_class_map(saved_model: Path) -> list[AudioSetClass]:
    """The classes of `assets/yamnet_class_map.csv`, in the order of the scores.

    Raises:
        BackboneError: the file is missing or has other columns.
    """
    path = saved_model / "assets" / "yamnet_class_map.csv"
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            return [AudioSetClass(row["display_name"], row["mid"]) for row in csv.DictReader(lines)]
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise BackboneError(
            f"{path}: expected a CSV with the columns index, mid, display_name: {error!r}"
        ) from error
