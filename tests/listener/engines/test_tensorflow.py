"""TensorFlowEngine: the same numbers as LiteRT, one line for what is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from listener.detection.bundle import Bundle, BundleError
from listener.engines.engine import EngineError
from listener.engines.litert import LiteRTEngine
from listener.engines.tensorflow import TensorFlowEngine

TOLERANCE = 1e-4


def assert_engines_agree(bundle: Bundle, count: int) -> None:
    patches = np.random.default_rng(count).normal(-3.0, 2.0, (count, 96, 64)).astype(np.float32)
    scores, embeddings = TensorFlowEngine(bundle.saved_model_path).infer(patches)
    other_scores, other_embeddings = LiteRTEngine(bundle.model_path).infer(patches)
    assert scores.dtype == embeddings.dtype == np.float32
    np.testing.assert_allclose(scores, other_scores, atol=TOLERANCE)
    np.testing.assert_allclose(embeddings, other_embeddings, atol=TOLERANCE)


@pytest.mark.parametrize("count", [1, 7, 16])
def test_it_agrees_with_litert_on_the_tones_bundle(tones_bundle: Bundle, count: int):
    assert_engines_agree(tones_bundle, count)


@pytest.mark.parametrize("count", [1, 7, 16])
def test_it_agrees_with_litert_on_yamnet(yamnet_bundle: Bundle, count: int):
    assert_engines_agree(yamnet_bundle, count)


def test_a_later_call_does_not_change_earlier_arrays(tones_bundle: Bundle):
    engine = TensorFlowEngine(tones_bundle.saved_model_path)
    scores, _ = engine.infer(np.ones((2, 96, 64), np.float32))
    kept = scores.copy()
    engine.infer(np.zeros((2, 96, 64), np.float32))
    np.testing.assert_array_equal(scores, kept)


def test_a_bundle_without_saved_model_is_one_line():
    with pytest.raises(BundleError, match="expected saved_model/ in the bundle, found none"):
        TensorFlowEngine(None)


def test_a_directory_that_is_no_saved_model_is_one_line(tmp_path: Path):
    with pytest.raises(BundleError, match="expected a SavedModel"):
        TensorFlowEngine(tmp_path)


def write_saved_model(path: Path, output: str, signature: str) -> Path:
    module = tf.Module()
    function = tf.function(
        lambda patches: {output: tf.reduce_mean(patches, axis=1)},
        input_signature=[tf.TensorSpec((None, 96, 64), tf.float32, "patches")],
    )
    concrete = function.get_concrete_function()
    tf.saved_model.save(module, str(path), signatures={signature: concrete})
    return path


def test_a_saved_model_without_the_signature_is_one_line(tmp_path: Path):
    path = write_saved_model(tmp_path / "saved_model", "scores", "other")
    with pytest.raises(BundleError, match=r"expected the signature patches, found \['other'\]"):
        TensorFlowEngine(path)


def test_a_saved_model_without_an_output_is_one_line(tmp_path: Path):
    path = write_saved_model(tmp_path / "saved_model", "scores", "patches")
    with pytest.raises(BundleError, match=r"expected outputs .*, found \['scores'\]"):
        TensorFlowEngine(path)


def test_without_tensorflow_the_line_names_the_extra(
    tones_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # how Python marks a module as absent
    with pytest.raises(EngineError, match=r"pip install 'earshot\[tensorflow\]'"):
        TensorFlowEngine(tones_bundle.saved_model_path)
