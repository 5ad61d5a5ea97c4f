"""Bundle -> a model in the repository of a model server: Triton, OpenVINO Model Server, MLServer."""

from __future__ import annotations

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

_RUNTIME_CLASS = "EarshotModel"
SERVER_SETTINGS_FILE = "settings.json"
_MODEL_SETTINGS_FILE = "model-settings.json"
_OPENVINO_NAMES_FILE = "mapping_config.json"
CONFIG_FILE = "config.pbtxt"
MODEL_DIR = "model.savedmodel"
_LARGEST_BATCH = 64
_QUEUE_DELAY_MICROSECONDS = 2000  # how long Triton waits for more patches of other stations


# The part of a model repository that MLServer reads: settings, and the runtime that computes.


RUNTIME = Path(__file__).with_name("earshot_mlserver.py")


def write_model_settings(version: Path, model: ServedModel, bundle_id: str) -> None:
    """Into the folder of a version, beside the model: what it is called, and the runtime."""
    settings = {
        "name": model.name,
        "implementation": f"{RUNTIME.stem}.{_RUNTIME_CLASS}",
        "platform": bundle_id,
        "versions": [model.version],
        "parameters": {"uri": f"./{MODEL_FILE}", "version": model.version},
    }
    _write_json(version / _MODEL_SETTINGS_FILE, settings)
    (version / RUNTIME.name).write_bytes(RUNTIME.read_bytes())


def write_server_settings(repository: Path) -> None:
    """At the top of the repository, for the people who run it to change; one that is there stays."""
    file = repository / SERVER_SETTINGS_FILE
    if not file.exists():
        # the runtime has threads of its own; with worker processes each tensor would be copied twice
        _write_json(file, {"parallel_workers": 0, "debug": False})


def _write_json(file: Path, document: Mapping[str, object]) -> None:
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def write_to_repository(bundle: Bundle, repository: Path) -> Path:
    """Add the bundle to the repository, whole or not at all; the folder of its version.

    The same bundle there is replaced; others stay, so that stations can change one after the other.

    Raises:
        TargetError: the repository cannot be written.
        BundleError: the bundle's model cannot be read.
    """
    try:
        repository.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=repository, prefix=".export-") as workspace:
            made = _write(bundle, repository, Path(workspace))
        write_server_settings(repository)
    except OSError as error:
        raise TargetError(f"{repository}: cannot be written: {error.strerror}") from error
    return made


def _write(bundle: Bundle, repository: Path, workspace: Path) -> Path:
    served = served_model(bundle)
    version = workspace / served.version
    version.mkdir()
    shutil.copyfile(bundle.model_path, version / MODEL_FILE)
    write_model_settings(version, served, bundle.id)
    _write_openvino_names(version)
    model = repository / served.name
    model.mkdir(exist_ok=True)
    _write_for_triton(bundle, version, model)
    if (model / served.version).exists():
        (model / served.version).rename(workspace / "older")
    version.rename(model / served.version)
    return model / served.version


def _write_openvino_names(version: Path) -> None:
    """OpenVINO Model Server knows the names inside the file; these are the ones that clients use."""
    model = version / MODEL_FILE
    tensors = read_signature(model, open_model(model))
    names = {
        "inputs": {tensors.patches.name: "patches"},
        "outputs": {tensors.scores.name: "scores", tensors.embeddings.name: "embeddings"},
    }
    (version / _OPENVINO_NAMES_FILE).write_text(json.dumps(names, indent=1) + "\n")


def _write_for_triton(bundle: Bundle, version: Path, model: Path) -> None:
    if bundle.saved_model_path is None:
        log.info("%s has no saved_model/: nothing for Triton's TensorFlow backend", bundle.id)
        return
    from trainer.export.model_repository import (  # noqa: PLC0415 - a small bundle needs no TensorFlow
        CONFIG_FILE,
        triton_config,
        write_triton_model,
    )

    features = bundle.manifest.features
    embeddings = write_triton_model(bundle.saved_model_path, version, features)
    config = triton_config(served_model(bundle), features, len(bundle.labels), embeddings)
    (model / CONFIG_FILE).write_text(config)


# The part of a model repository that Triton reads: a SavedModel for float16, and its config.


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
