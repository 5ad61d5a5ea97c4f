"""CompiledGraphs: opening takes no longer than the watchdog bears."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
import tensorflow as tf

from listener.detection.bundle import Bundle
from listener.engines.engine import EngineError
from listener.engines.graphs import CompiledGraphs
from listener.engines.saved_model import PATCHES, SavedModel
from listener.engines.tensorflow import TensorFlowEngine


def open_graphs(bundle: Bundle, seconds_each: float) -> CompiledGraphs:
    """For batches up to 256, each graph compiled in so many seconds."""
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


def test_what_has_no_graph_of_its_size_runs_in_a_larger_one(tones_bundle: Bundle):
    patches = np.random.default_rng(0).normal(-3.0, 2.0, (3, 96, 64)).astype(np.float32)
    slow, quick = (open_graphs(tones_bundle, seconds) for seconds in (11.0, 1.0))
    for one, other in zip(slow.run(patches), quick.run(patches), strict=True):
        assert len(one) == 3
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.fixture(scope="module")
def uncompilable(tmp_path_factory: pytest.TempPathFactory) -> SavedModel:
    """XLA knows no strings. Its scores are how long the numbers are as text."""
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


def test_what_xla_cannot_compile_is_one_line(uncompilable: SavedModel):
    with pytest.raises(EngineError, match="XLA cannot compile patches: ") as caught:
        CompiledGraphs(uncompilable, PATCHES, 1)
    assert "\n" not in str(caught.value)


def test_what_xla_cannot_compile_runs_as_it_is_and_that_is_said(
    uncompilable: SavedModel, caplog: pytest.LogCaptureFixture
):
    engine = TensorFlowEngine(uncompilable, compiled=True)
    assert "XLA cannot compile patches" in caplog.text
    scores, _ = engine.infer(np.ones((2, 96, 64), np.float32))
    np.testing.assert_array_equal(scores, np.full((2, 64), len("1.0")))
