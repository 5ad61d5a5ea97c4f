"""TensorFlow's engines: the same numbers as LiteRT, compiled or not, from log-mel or from windows."""

from __future__ import annotations

import logging
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from listener.config.engine import FrontEndPlace
from listener.detection.bundle import Bundle, BundleError
from listener.detection.features import WindowFrames, contents_of, log_mel_patches
from listener.engines.engine import EngineError, Outputs, WindowEngine
from listener.engines.litert import LiteRTEngine
from listener.engines.saved_model import PATCHES, SavedModel
from listener.engines.tensorflow import (
    CompiledGraphs,
    Part,
    TensorFlowEngine,
    TensorFlowWindowEngine,
    graph_sizes,
    open_tensorflow,
    split_batch,
)

TOLERANCE = 1e-4


def saved_model(bundle: Bundle) -> SavedModel:
    return SavedModel(bundle.saved_model_path, threads=1)


@pytest.fixture(scope="module")
def compiled(tones_bundle: Bundle) -> TensorFlowEngine:
    """Graphs of 16 and 64 patches."""
    return TensorFlowEngine(saved_model(tones_bundle), max_batch=64, compiled=True)


def patches_of(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(count).normal(-3.0, 2.0, (count, 96, 64)).astype(np.float32)


def assert_same(ours: Outputs, theirs: Outputs) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=TOLERANCE)


def assert_it_agrees_with_litert(bundle: Bundle, count: int) -> None:
    engine = TensorFlowEngine(saved_model(bundle))
    assert_same(
        engine.infer(patches_of(count)), LiteRTEngine(bundle.model_path).infer(patches_of(count))
    )


@pytest.mark.parametrize("count", [1, 7, 16])
def test_it_agrees_with_litert_on_the_tones_bundle(tones_bundle: Bundle, count: int):
    assert_it_agrees_with_litert(tones_bundle, count)


@pytest.mark.parametrize("count", [1, 7, 16])
def test_it_agrees_with_litert_on_yamnet(yamnet_bundle: Bundle, count: int):
    assert_it_agrees_with_litert(yamnet_bundle, count)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 64, 65, 200])
def test_compiled_it_agrees_with_litert_on_batches_of_any_size(
    tones_bundle: Bundle, compiled: TensorFlowEngine, count: int
):
    litert = LiteRTEngine(tones_bundle.model_path)
    assert_same(compiled.infer(patches_of(count)), litert.infer(patches_of(count)))


def test_compiled_yamnet_agrees_with_litert(yamnet_bundle: Bundle):
    engine = TensorFlowEngine(saved_model(yamnet_bundle), compiled=True)
    litert = LiteRTEngine(yamnet_bundle.model_path)
    assert_same(engine.infer(patches_of(5)), litert.infer(patches_of(5)))


@pytest.mark.parametrize("compiled", [False, True])
def test_windows_give_the_scores_of_their_patches(tones_bundle: Bundle, compiled: bool):
    params = tones_bundle.manifest.features
    waveform = np.random.default_rng(0).normal(0.0, 0.1, 48_000).astype(np.float32)
    engine = TensorFlowWindowEngine(saved_model(tones_bundle), compiled=compiled)
    windows = np.stack(contents_of(waveform, params, WindowFrames(params)))
    patches = log_mel_patches(waveform, params)
    expected = LiteRTEngine(tones_bundle.model_path).infer(patches)
    assert_same(engine.infer_windows(windows), expected)
    assert_same(engine.infer(patches), expected)


@pytest.mark.parametrize("count", [2, 70])
def test_a_later_call_does_not_change_earlier_arrays(compiled: TensorFlowEngine, count: int):
    scores, embeddings = compiled.infer(np.ones((count, 96, 64), np.float32))
    kept = scores.copy(), embeddings.copy()
    compiled.infer(np.zeros((count, 96, 64), np.float32))
    np.testing.assert_array_equal(scores, kept[0])
    np.testing.assert_array_equal(embeddings, kept[1])


@pytest.mark.parametrize(
    ("front_end", "takes_windows"), [("cpu", False), ("auto", False), ("device", True)]
)
def test_the_log_mel_is_computed_as_configured_and_on_the_cpu_under_auto_without_a_gpu(
    tones_bundle: Bundle, front_end: FrontEndPlace, takes_windows: bool
):
    engine = open_tensorflow(tones_bundle.saved_model_path, 1, 16, front_end)
    assert isinstance(engine, WindowEngine) == takes_windows


def write_saved_model(path: Path, **signatures: tuple[str, ...]) -> Path:
    """A SavedModel of signatures with these outputs, each the mean of its input over time."""
    module = tf.Module()
    functions = {
        name: function_of(outputs).get_concrete_function() for name, outputs in signatures.items()
    }
    tf.saved_model.save(module, str(path), signatures=functions)
    return path


def function_of(outputs: tuple[str, ...]) -> Any:
    return tf.function(
        lambda patches: {name: tf.reduce_mean(patches, axis=1) for name in outputs},
        input_signature=[tf.TensorSpec((None, 96, 64), tf.float32, "patches")],
    )


def test_a_bundle_without_windows_keeps_its_log_mel_on_the_cpu_and_logs_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = write_saved_model(tmp_path / "saved_model", patches=("scores", "embeddings"))
    caplog.clear()  # with Python 3.13 TensorFlow logs warnings while it writes one
    with caplog.at_level(logging.WARNING):
        engine = open_tensorflow(path, 1, 16, "device")
    assert not isinstance(engine, WindowEngine)
    [record] = caplog.records
    assert "older than log-mel on the device, which stays on the CPU" in record.getMessage()


def test_a_saved_model_without_the_signature_is_one_line(tmp_path: Path):
    path = write_saved_model(tmp_path / "saved_model", other=("scores",))
    with pytest.raises(BundleError, match=r"expected the signature patches, found \['other'\]"):
        TensorFlowEngine(SavedModel(path, 1))


def test_a_saved_model_without_an_output_is_one_line(tmp_path: Path):
    path = write_saved_model(tmp_path / "saved_model", patches=("scores",))
    with pytest.raises(BundleError, match=r"expected outputs .*, found \['scores'\]"):
        TensorFlowEngine(SavedModel(path, 1))


def open_graphs(bundle: Bundle, seconds_each: float) -> CompiledGraphs:
    """Graphs for batches up to 256, each compiled in so many seconds."""
    clock = count(0.0, seconds_each)
    model = SavedModel(bundle.saved_model_path, threads=1)
    return CompiledGraphs(model, PATCHES, 256, lambda: next(clock))


@pytest.mark.parametrize(
    ("seconds_each", "sizes"), [(1.0, (16, 64, 256)), (6.0, (64, 256)), (11.0, (256,))]
)
def test_the_largest_is_always_compiled_and_others_while_there_is_time(
    tones_bundle: Bundle, seconds_each: float, sizes: tuple[int, ...]
):
    assert open_graphs(tones_bundle, seconds_each).sizes == sizes


def test_a_batch_without_a_graph_of_its_size_runs_in_a_larger_one(tones_bundle: Bundle):
    patches = np.random.default_rng(0).normal(-3.0, 2.0, (3, 96, 64)).astype(np.float32)
    slow, quick = (open_graphs(tones_bundle, seconds) for seconds in (11.0, 1.0))
    for one, other in zip(slow.run(patches), quick.run(patches), strict=True):
        assert len(one) == 3
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.fixture(scope="module")
def uncompilable(tmp_path_factory: pytest.TempPathFactory) -> SavedModel:
    """XLA has no strings. The scores are the lengths of the numbers as text."""
    graph = tf.function(
        lambda patches: dict.fromkeys(("scores", "embeddings"), lengths(patches)),
        input_signature=[tf.TensorSpec((None, 96, 64), tf.float32, "patches")],
    )
    path = tmp_path_factory.mktemp("strings") / "saved_model"
    signatures = {"patches": graph.get_concrete_function()}
    tf.saved_model.save(tf.Module(), str(path), signatures=signatures)
    return SavedModel(path, threads=1)


def lengths(patches: tf.Tensor) -> tf.Tensor:
    return tf.strings.length(tf.strings.as_string(patches[:, 0], precision=1))


def test_a_model_that_xla_cannot_compile_is_one_line(uncompilable: SavedModel):
    with pytest.raises(EngineError, match="XLA cannot compile patches: ") as caught:
        CompiledGraphs(uncompilable, PATCHES, 1)
    assert "\n" not in str(caught.value)


def test_a_model_that_xla_cannot_compile_runs_uncompiled_and_is_logged(
    uncompilable: SavedModel, caplog: pytest.LogCaptureFixture
):
    engine = TensorFlowEngine(uncompilable, compiled=True)
    assert "XLA cannot compile patches" in caplog.text
    scores, _ = engine.infer(np.ones((2, 96, 64), np.float32))
    np.testing.assert_array_equal(scores, np.full((2, 64), len("1.0")))


@pytest.mark.parametrize(
    ("max_batch", "sizes"),
    [
        (1, (16,)),
        (16, (16,)),
        (17, (16, 64)),
        (64, (16, 64)),
        (65, (16, 64, 256)),
        (4096, (16, 64, 256)),
    ],
)
def test_the_largest_graph_holds_the_largest_batch_or_256(max_batch: int, sizes: tuple[int, ...]):
    assert graph_sizes(max_batch) == sizes


@pytest.mark.parametrize(
    ("count", "parts"),
    [
        (1, [Part(0, 1, 16)]),
        (16, [Part(0, 16, 16)]),
        (17, [Part(0, 17, 64)]),
        (256, [Part(0, 256, 256)]),
        (600, [Part(0, 256, 256), Part(256, 512, 256), Part(512, 600, 256)]),
        (522, [Part(0, 256, 256), Part(256, 512, 256), Part(512, 522, 16)]),
    ],
)
def test_a_batch_runs_in_full_parts_and_a_padded_rest(count: int, parts: list[Part]):
    assert list(split_batch(count, (16, 64, 256))) == parts


def test_if_only_the_largest_size_is_ready_every_batch_runs_in_it():
    assert list(split_batch(3, (64,))) == [Part(0, 3, 64)]
