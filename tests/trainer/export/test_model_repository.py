"""A model repository: whole or not at all, and every server finds what it reads."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from listener.detection.bundle import Bundle, read_bundle, served_model
from listener.engines.litert import LiteRTEngine
from listener.starter import starter_bundle_path
from tests.rigs.bundles import without_saved_model
from trainer.errors import TargetError
from trainer.export.model_repository import write_to_repository

PATCHES = np.random.default_rng(0).normal(-3.0, 2.0, (5, 96, 64)).astype(np.float16)


@pytest.fixture(scope="module")
def version(tones_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_to_repository(tones_bundle, tmp_path_factory.mktemp("serving") / "repository")


def test_name_and_version_are_what_stations_ask_for(version: Path, tones_bundle: Bundle):
    served = served_model(tones_bundle)
    assert version.parts[-2:] == (served.name, served.version)
    assert sorted(path.name for path in version.parent.parent.iterdir()) == [
        "settings.json",
        served.name,
    ]


def test_triton_reads_its_config(version: Path, tones_bundle: Bundle):
    config = text_format.Parse(
        (version.parent / "config.pbtxt").read_text(), model_config_pb2.ModelConfig()
    )
    assert config.name == version.parent.name
    assert config.HasField("dynamic_batching")
    assert config.version_policy.HasField("all")
    tensors = {
        tensor.name: (model_config_pb2.DataType.Name(tensor.data_type), list(tensor.dims))
        for tensor in [*config.input, *config.output]
    }
    assert tensors == {
        "patches": ("TYPE_FP16", [96, 64]),
        "scores": ("TYPE_FP32", [len(tones_bundle.labels)]),
        "embeddings": ("TYPE_FP16", [64]),
    }


def test_the_saved_model_takes_float16_and_gives_the_bundles_scores(
    version: Path, tones_bundle: Bundle
):
    model = tf.saved_model.load(str(version / "model.savedmodel"))
    outputs = model.signatures["serving_default"](patches=tf.constant(PATCHES))
    scores, embeddings = LiteRTEngine(tones_bundle.model_path).infer(PATCHES.astype(np.float32))
    assert (outputs["scores"].dtype, outputs["embeddings"].dtype) == (tf.float32, tf.float16)
    np.testing.assert_allclose(outputs["scores"], scores, atol=1e-4)
    np.testing.assert_allclose(outputs["embeddings"], embeddings, rtol=1e-3, atol=1e-3)


def test_openvino_is_told_the_names_that_clients_use(version: Path):
    openvino = importlib.import_module("openvino")  # what reads the file in that server
    names = json.loads((version / "mapping_config.json").read_text())
    model = openvino.Core().read_model(version / "model.tflite")
    assert [tensor.any_name for tensor in model.inputs] == list(names["inputs"])
    found = {name for tensor in model.outputs for name in tensor.names}
    assert set(names["outputs"]) <= found
    assert list(names["inputs"].values()) == ["patches"]
    assert sorted(names["outputs"].values()) == ["embeddings", "scores"]


def test_mlserver_is_told_where_everything_is(version: Path):
    settings = json.loads((version / "model-settings.json").read_text())
    module, _, name = settings["implementation"].partition(".")
    assert f"class {name}(MLModel)" in (version / f"{module}.py").read_text()
    assert settings["parameters"] == {"uri": "./model.tflite", "version": "1"}
    assert (version / "model.tflite").is_file()


def test_another_bundle_is_added_and_the_same_one_replaced(tones_bundle: Bundle, tmp_path: Path):
    first = write_to_repository(tones_bundle, tmp_path)
    (tmp_path / "settings.json").write_text("{}")  # a person's own
    (first / "left").touch()
    other = write_to_repository(read_bundle(starter_bundle_path()), tmp_path)
    assert write_to_repository(tones_bundle, tmp_path) == first
    assert not (first / "left").exists()
    assert (other / "model.tflite").is_file()
    assert (tmp_path / "settings.json").read_text() == "{}"
    assert len(list(tmp_path.iterdir())) == 3  # nothing of the making is left


def test_a_bundle_without_saved_model_is_for_the_others(tmp_path: Path):
    small = without_saved_model(starter_bundle_path(), tmp_path / "small")
    version = write_to_repository(small, tmp_path / "repository")
    assert not (version.parent / "config.pbtxt").exists()
    assert {path.name for path in version.iterdir()} == {
        "earshot_mlserver.py",
        "mapping_config.json",
        "model-settings.json",
        "model.tflite",
    }


def test_a_place_that_cannot_be_written_is_one_line(tones_bundle: Bundle, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(
        TargetError, match=r"file: cannot be written: (File exists|Not a directory)"
    ):
        write_to_repository(tones_bundle, tmp_path / "file")
