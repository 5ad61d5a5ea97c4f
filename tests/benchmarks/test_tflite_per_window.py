"""The TFLite loop beside which a station is measured does what such a loop is for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow

from benchmarks.tflite_per_window import Camera

LABELS = 521


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Label k scores k / 521 times the loudest sample."""
    ramp = tensorflow.constant(np.arange(LABELS, dtype=np.float32)[None] / LABELS)
    scores = tensorflow.function(
        lambda waveform: ramp * tensorflow.reduce_max(waveform),
        input_signature=[tensorflow.TensorSpec([15_600], tensorflow.float32)],
    )
    converter = tensorflow.lite.TFLiteConverter.from_concrete_functions(
        [scores.get_concrete_function()]
    )
    path = tmp_path_factory.mktemp("model") / "ramp.tflite"
    path.write_bytes(converter.convert())
    return path


def test_a_camera_tells_the_level_and_the_best_twenty(model: Path):
    level_dbfs, best = Camera(model).hear(np.full(15_600, 16_384, np.int16))
    assert level_dbfs == pytest.approx(-6.02, abs=0.01)
    assert [label for label, _ in best] == list(range(520, 500, -1))
    assert [score for _, score in best] == pytest.approx(
        [label / LABELS / 2 for label in range(520, 500, -1)]
    )


def test_a_camera_tells_nothing_of_low_scores(model: Path):
    _, best = Camera(model).hear(np.full(15_600, 8_192, np.int16))
    assert best == []
