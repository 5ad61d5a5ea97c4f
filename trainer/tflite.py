"""From a SavedModel to the bundle's `model.tflite`."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from trainer.config import Storage
from trainer.serving import PATCHES_SIGNATURE


def convert_to_tflite(saved_model: Path, storage: Storage) -> bytes:
    """The signature `patches` as a TFLite model; `storage` is how its weights are kept.

    From a SavedModel, because from_concrete_functions loses the weights of a Keras 3 model and
    from_keras_model prints to stdout.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(saved_model), signature_keys=[PATCHES_SIGNATURE]
    )
    if storage == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    model: bytes = converter.convert()
    return model
