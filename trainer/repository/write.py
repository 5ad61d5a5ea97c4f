"""Bundle -> a model in the repository of a model server: Triton, OpenVINO Model Server, MLServer."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from pathlib import Path

from listener.detection.bundle import MODEL_FILE, Bundle, served_model
from listener.engines.tflite import open_model, read_signature
from trainer.errors import TargetError
from trainer.repository.mlserver import write_model_settings, write_server_settings

log = logging.getLogger(__name__)

_OPENVINO_NAMES_FILE = "mapping_config.json"


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
    from trainer.repository.triton import (  # noqa: PLC0415 - a small bundle needs no TensorFlow
        CONFIG_FILE,
        triton_config,
        write_triton_model,
    )

    features = bundle.manifest.features
    embeddings = write_triton_model(bundle.saved_model_path, version, features)
    config = triton_config(served_model(bundle), features, len(bundle.labels), embeddings)
    (model / CONFIG_FILE).write_text(config)
