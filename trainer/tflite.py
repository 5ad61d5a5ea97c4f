"""From a SavedModel to the bundle's `model.tflite`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trainer.config import Form
from trainer.serving import PATCHES_SIGNATURE


def convert_to_tflite(
    saved_model: Path, form: Form, representative: NDArray[np.float32] | None = None
) -> bytes:
    """The signature `patches` as a TFLite model; inputs and outputs stay float32.

    From a SavedModel, because from_concrete_functions loses the weights of a Keras 3 model and
    from_keras_model prints to stdout.

    Args:
        saved_model: its directory.
        form: float16: the weights; dynamic: weights of 8 bits, activations rounded as they come; int8:
            both of 8 bits, the activations' ranges fixed.
        representative: patches (n, 96, 64) that show the activations' ranges; int8 needs them.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(saved_model), signature_keys=[PATCHES_SIGNATURE]
    )
    if form != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if form == "int8":
        _calibrate(converter, representative)
    with warnings.catch_warnings():
        # the converter itself runs the interpreter that TensorFlow will drop
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
        model: bytes = converter.convert()
    return model


def _calibrate(converter: Any, representative: NDArray[np.float32] | None) -> None:
    if representative is None:
        raise ValueError("int8: expected representative patches, got none")

    def examples() -> Iterator[dict[str, NDArray[np.float32]]]:
        return ({PATCHES_SIGNATURE: patch[None]} for patch in representative)

    converter.representative_dataset = examples
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
        tf.lite.OpsSet.TFLITE_BUILTINS,  # for what has no integer kernel
    ]
