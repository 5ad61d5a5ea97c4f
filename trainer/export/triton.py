"""A bundle's SavedModel as Triton serves it: float16 patches in, and its `config.pbtxt`."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from listener.detection.bundle import Bundle, BundleError, ServedModel
from listener.detection.params import FeatureParams
from trainer.export.saved_model import PATCHES_SIGNATURE

_MODEL_DIR = "model.savedmodel"
_MAX_BATCH = 64
_MAX_WAIT_MICROSECONDS = 2000  # for more patches, of other stations


def write_for_triton(version: Path, model: ServedModel, bundle: Bundle, saved_model: Path) -> str:
    """A SavedModel that takes float16; the `config.pbtxt` of all versions of the model.

    Raises:
        BundleError: the bundle's SavedModel cannot be read.
    """
    try:
        loaded = tf.saved_model.load(str(saved_model))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise BundleError(f"{saved_model}: expected a SavedModel: {error}") from error
    if PATCHES_SIGNATURE not in loaded.signatures:
        raise BundleError(
            f"{saved_model}: expected the signature {PATCHES_SIGNATURE}, "
            f"found {sorted(loaded.signatures)}"
        )
    features = bundle.manifest.features
    module = _Float16Patches(loaded, features)
    tf.saved_model.save(module, str(version / _MODEL_DIR), signatures=module.infer)
    embeddings = module.infer.get_concrete_function().structured_outputs["embeddings"]
    return f"""\
name: "{model.name}"
platform: "tensorflow_savedmodel"
max_batch_size: {_MAX_BATCH}
version_policy: {{ all: {{ }} }}
dynamic_batching {{ max_queue_delay_microseconds: {_MAX_WAIT_MICROSECONDS} }}
input [
  {{ name: "patches", data_type: TYPE_FP16, dims: [ {features.patch_frames}, {features.mel_bands} ] }}
]
output [
  {{ name: "scores", data_type: TYPE_FP32, dims: [ {len(bundle.labels)} ] }},
  {{ name: "embeddings", data_type: TYPE_FP16, dims: [ {embeddings.shape[-1]} ] }}
]
"""


class _Float16Patches(tf.Module):
    """The signature `patches` of a bundle, float16 in, scores float32 and embeddings float16 out."""

    def __init__(self, model: Any, features: FeatureParams) -> None:
        super().__init__()
        self._model = model  # kept, because the signature holds its variables only weakly
        signature = model.signatures[PATCHES_SIGNATURE]
        shape = (None, features.patch_frames, features.mel_bands)

        def infer(patches: tf.Tensor) -> dict[str, tf.Tensor]:
            outputs = signature(patches=tf.cast(patches, tf.float32))
            embeddings = tf.cast(outputs["embeddings"], tf.float16)
            return {"scores": outputs["scores"], "embeddings": embeddings}

        self.infer = tf.function(
            infer, input_signature=[tf.TensorSpec(shape, tf.float16, "patches")]
        )
