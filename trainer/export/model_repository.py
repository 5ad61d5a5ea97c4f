"""Bundle -> a model in the repository of a model server: Triton, OpenVINO Model Server, MLServer."""

import json
import logging
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from listener.detection.bundle import MODEL_FILE, Bundle, BundleError, ServedModel, served_model
from listener.detection.params import FeatureParams
from listener.engines.tflite import open_model, read_signature
from trainer.errors import TargetError
from trainer.export.saved_model import PATCHES_SIGNATURE

log = logging.getLogger(__name__)

_RUNTIME = Path(__file__).with_name("earshot_mlserver.py")
_RUNTIME_CLASS = "EarshotModel"
_SERVER_SETTINGS_FILE = "settings.json"
_MODEL_SETTINGS_FILE = "model-settings.json"
_OPENVINO_NAMES_FILE = "mapping_config.json"
_TRITON_CONFIG_FILE = "config.pbtxt"
_TRITON_MODEL_DIR = "model.savedmodel"
_TRITON_MAX_BATCH = 64
_TRITON_MAX_WAIT_MICROSECONDS = 2000  # for more patches, of other stations


def write_to_repository(bundle: Bundle, repository: Path) -> Path:
    """Add the bundle to the repository, whole or not at all; the folder of its version.

    The same version of the bundle is replaced; others stay, so that stations can change one by one.

    Raises:
        TargetError: the repository cannot be written.
        BundleError: the bundle's model cannot be read.
    """
    try:
        repository.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=repository, prefix=".export-") as workspace:
            served = served_model(bundle)
            version = Path(workspace) / served.version
            version.mkdir()
            shutil.copyfile(bundle.model_path, version / MODEL_FILE)
            _write_for_mlserver(version, served, bundle.id)
            _write_for_openvino(version)
            target = repository / served.name / served.version
            target.parent.mkdir(exist_ok=True)
            if bundle.saved_model_path is None:
                log.info(
                    "%s has no saved_model/: nothing for Triton's TensorFlow backend", bundle.id
                )
            else:
                config = _write_for_triton(version, served, bundle, bundle.saved_model_path)
                (target.parent / _TRITON_CONFIG_FILE).write_text(config)
            if target.exists():
                target.rename(Path(workspace) / "older")
            version.rename(target)
        settings = repository / _SERVER_SETTINGS_FILE
        if not settings.exists():  # operators may change it
            # the runtime has its own threads; worker processes would copy each tensor twice
            _write_json(settings, {"parallel_workers": 0, "debug": False})
    except OSError as error:
        raise TargetError(f"{repository}: cannot be written: {error.strerror}") from error
    return target


def _write_for_mlserver(version: Path, model: ServedModel, bundle_id: str) -> None:
    """The settings of the model, and the runtime that computes it."""
    settings = {
        "name": model.name,
        "implementation": f"{_RUNTIME.stem}.{_RUNTIME_CLASS}",
        "platform": bundle_id,
        "versions": [model.version],
        "parameters": {"uri": f"./{MODEL_FILE}", "version": model.version},
    }
    _write_json(version / _MODEL_SETTINGS_FILE, settings)
    (version / _RUNTIME.name).write_bytes(_RUNTIME.read_bytes())


def _write_for_openvino(version: Path) -> None:
    """Map the names inside the file, which OpenVINO Model Server uses, to those that clients use."""
    model = version / MODEL_FILE
    tensors = read_signature(model, open_model(model))
    names = {
        "inputs": {tensors.patches.name: "patches"},
        "outputs": {tensors.scores.name: "scores", tensors.embeddings.name: "embeddings"},
    }
    _write_json(version / _OPENVINO_NAMES_FILE, names)


def _write_json(file: Path, document: Mapping[str, object]) -> None:
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _write_for_triton(version: Path, model: ServedModel, bundle: Bundle, saved_model: Path) -> str:
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
    tf.saved_model.save(module, str(version / _TRITON_MODEL_DIR), signatures=module.infer)
    embeddings = module.infer.get_concrete_function().structured_outputs["embeddings"]
    return f"""\
name: "{model.name}"
platform: "tensorflow_savedmodel"
max_batch_size: {_TRITON_MAX_BATCH}
version_policy: {{ all: {{ }} }}
dynamic_batching {{ max_queue_delay_microseconds: {_TRITON_MAX_WAIT_MICROSECONDS} }}
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
