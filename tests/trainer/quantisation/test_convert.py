"""The golden waveform of an int8 model: no rounding error moves an input to another step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from listener.engines.litert import LiteRTEngine
from trainer.export.bundle import convert_to_tflite
from trainer.quantisation.convert import (
    choose_golden_waveform,
    input_step,
    rounding_stable_waveform,
)


def noisy_patches(bundle: Bundle) -> NDArray[np.float32]:
    noise = np.random.default_rng(0).normal(0.0, 0.1, 160_000).astype(np.float32)
    return log_mel_patches(noise, bundle.manifest.features)


@pytest.fixture(scope="module")
def int8(tones_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forms") / "model.tflite"
    saved_model = tones_bundle.path / "saved_model"
    path.write_bytes(convert_to_tflite(saved_model, "int8", noisy_patches(tones_bundle)))
    return path


def test_the_input_step_is_that_of_the_calibration_range(tones_bundle: Bundle, int8: Path):
    """255 steps from the lowest to the highest number of the patches."""
    step = input_step(int8, tones_bundle.manifest.features)
    assert step is not None
    patches = noisy_patches(tones_bundle)
    low, high = min(patches.min(), 0.0), max(patches.max(), 0.0)
    assert step[0] == pytest.approx((high - low) / 255, rel=0.01)
    assert (-128 - step[1]) * step[0] == pytest.approx(low, abs=step[0])


def test_no_number_of_its_log_mel_is_near_an_edge(tones_bundle: Bundle, int8: Path):
    features = tones_bundle.manifest.features
    waveform, step = rounding_stable_waveform(int8, features), input_step(int8, features)
    assert waveform is not None
    assert step is not None
    assert waveform.dtype == np.float32
    assert len(waveform) == 48_000
    assert np.abs(waveform).max() == pytest.approx(0.5)
    log_mel = log_mel_patches(waveform, features)
    rounded = [
        np.clip(np.round((log_mel + error) / step[0] + step[1]), -128, 127)
        for error in (-4e-5, 0.0, 4e-5)
    ]
    np.testing.assert_array_equal(rounded[0], rounded[1])
    np.testing.assert_array_equal(rounded[2], rounded[1])
    assert len(np.unique(rounded[1])) > 50


def test_outputs_ignore_rounding_errors_and_follow_three_steps(tones_bundle: Bundle, int8: Path):
    """The embedding is the mean log-mel of each band."""
    features, engine = tones_bundle.manifest.features, LiteRTEngine(int8)
    waveform, step = rounding_stable_waveform(int8, features), input_step(int8, features)
    assert waveform is not None
    assert step is not None
    patches = log_mel_patches(waveform, features)
    noise = np.random.default_rng(0).normal(0.0, 1e-5, patches.shape)
    exact = engine.infer(patches)
    for one, other in zip(engine.infer((patches + noise).astype(np.float32)), exact, strict=True):
        np.testing.assert_array_equal(one, other)
    _, moved = engine.infer((patches + 3 * step[0]).astype(np.float32))
    assert np.abs(moved - exact[1]).max() > step[0]


def test_a_float_model_keeps_the_bundles_waveform(tones_bundle: Bundle, int8: Path):
    features, own = tones_bundle.manifest.features, tones_bundle.read_golden().waveform
    assert input_step(tones_bundle.model_path, features) is None
    np.testing.assert_array_equal(
        choose_golden_waveform(tones_bundle, tones_bundle.model_path), own
    )
    assert rounding_stable_waveform(int8, features, tries=0) is None
    assert not np.array_equal(choose_golden_waveform(tones_bundle, int8), own)
