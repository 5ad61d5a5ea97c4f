"""The part of a model repository that Triton reads: a SavedModel for float16, and its config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from listener.detection.bundle import BundleError, ServedModel
from listener.detection.params import FeatureParams
from trainer.serving import PATCHES_SIGNATURE

CONFIG_FILE = "config.pbtxt"
MODEL_DIR = "model.savedmodel"
_LARGEST_BATCH = 64
_QUEUE_DELAY_MICROSECONDS = 2000  # how long Triton waits for more patches of other stations


def write_triton_model(saved_model: Path, version: Path, features: FeatureParams) -> int:
    """A SavedModel that takes patches as float16, into the folder of a version; its embeddings' length.

    Raises:
        BundleError: the bundle's SavedModel cannot be read.
    """
    patches = _Patches(_load(saved_model), features)
    tf.saved_model.save(patches, str(version / MODEL_DIR), signatures=patches.infer)
    width = patches.infer.get_concrete_function().structured_outputs["embeddings"].shape[-1]
    return int(width)


class _Patches(tf.Module):
    """The signature `patches` of a bundle, float16 in, scores float32 and embeddings float16 out."""

    def __init__(self, model: Any, features: FeatureParams) -> None:
        super().__init__()
        self._model = model  # the signature holds its variables only weakly
        signature = model.signatures[PATCHES_SIGNATURE]
        shape = (None, features.patch_frames, features.mel_bands)

        def infer(patches: tf.Tensor) -> dict[str, tf.Tensor]:
            outputs = signature(patches=tf.cast(patches, tf.float32))
            embeddings = tf.cast(outputs["embeddings"], tf.float16)
            return {"scores": outputs["scores"], "embeddings": embeddings}

        self.infer = tf.function(
            infer, input_signature=[tf.TensorSpec(shape, tf.float16, "patches")]
        )


def _load(saved_model: Path) -> Any:
    try:
        model = tf.saved_model.load(str(saved_model))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise BundleError(f"{saved_model}: expected a SavedModel: {error}") from error
    if PATCHES_SIGNATURE not in model.signatures:
        found = sorted(model.signatures)
        raise BundleError(
            f"{saved_model}: expected the signature {PATCHES_SIGNATURE}, found {found}"
        )
    return model


def triton_config(model: ServedModel, features: FeatureParams, labels: int, embeddings: int) -> str:
    """`config.pbtxt` for all versions: dynamic batching over all stations, each version served."""
    patch = f"{features.patch_frames}, {features.mel_bands}"
    return f"""\
name: "{model.name}"
platform: "tensorflow_savedmodel"
max_batch_size: {_LARGEST_BATCH}
version_policy: {{ all: {{ }} }}
dynamic_batching {{ max_queue_delay_microseconds: {_QUEUE_DELAY_MICROSECONDS} }}
input [ {{ name: "patches", data_type: TYPE_FP16, dims: [ {patch} ] }} ]
output [
  {{ name: "scores", data_type: TYPE_FP32, dims: [ {labels} ] }},
  {{ name: "embeddings", data_type: TYPE_FP16, dims: [ {embeddings} ] }}
]
"""
