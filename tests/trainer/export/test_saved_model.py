"""saved_model/: its signatures give what the bundle gives."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from listener.detection.bundle import Bundle
from listener.detection.features import WindowFrames, contents_of, log_mel_patches
from listener.detection.params import FeatureParams, Preprocessing
from listener.engines.litert import LiteRTEngine
from trainer.export.saved_model import tf_log_mel_of_windows, tf_log_mel_patches

TOLERANCE = 1e-4


LENGTHS = [1, 15_599, 15_600, 15_601, 23_280, 23_281, 48_000]


def noise(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(count).normal(0.0, 0.1, count).astype(np.float32)


def load_signature(bundle: Bundle) -> Any:
    model = tf.saved_model.load(str(bundle.saved_model_path))
    return model, model.signatures["serving_default"]


@pytest.mark.parametrize("count", LENGTHS)
@pytest.mark.parametrize("hop", [0.48, 0.12, 0.96])
def test_the_log_mel_of_tensorflow_is_that_of_the_listener(count: int, hop: float):
    params = FeatureParams(patch_hop_seconds=hop)
    np.testing.assert_allclose(
        tf_log_mel_patches(noise(count), params),
        log_mel_patches(noise(count), params),
        atol=TOLERANCE,
    )


@pytest.mark.parametrize("count", [1_000, 15_600, 23_281])
@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing(high_pass_hz=150.0),
        Preprocessing(level_dbfs=-10.0),
        Preprocessing(high_pass_hz=400.0, level_dbfs=-40.0, max_gain_db=6.0),
    ],
)
def test_preprocessing_in_tensorflow_is_that_of_the_listener(
    count: int, preprocessing: Preprocessing
):
    params = FeatureParams(preprocessing=preprocessing)
    ours = log_mel_patches(noise(count), params)
    assert np.abs(ours - log_mel_patches(noise(count), FeatureParams())).max() > 0.5
    theirs = tf_log_mel_patches(noise(count), params)
    # where a band is emptied, rounding errors of TensorFlow's FFT are left
    np.testing.assert_allclose(theirs, ours, atol=5 * TOLERANCE)


def test_no_samples_give_one_patch_of_silence():
    patches = tf_log_mel_patches(np.zeros(0, np.float32), FeatureParams())
    np.testing.assert_allclose(patches, np.full((1, 96, 64), np.log(0.001)), rtol=1e-6)


@pytest.mark.parametrize("count", LENGTHS)
def test_serving_default_gives_the_bundles_scores(tones_bundle: Bundle, count: int):
    _model, serve = load_signature(tones_bundle)
    outputs = serve(waveform=tf.constant(noise(count)))
    patches = log_mel_patches(noise(count), tones_bundle.manifest.features)
    scores, embeddings = LiteRTEngine(tones_bundle.model_path).infer(patches)
    np.testing.assert_allclose(outputs["scores"], scores, atol=TOLERANCE)
    np.testing.assert_allclose(outputs["embeddings"], embeddings, atol=TOLERANCE)
    np.testing.assert_allclose(outputs["clip_scores"], scores.mean(axis=0), atol=TOLERANCE)


def test_serving_default_gives_hubs_scores_and_number_of_patches(
    shared: Path, yamnet_bundle: Bundle
):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pkg_resources
        import tensorflow_hub  # noqa: PLC0415
    hub = tensorflow_hub.load(str(shared / "models" / "yamnet"))
    _model, serve = load_signature(yamnet_bundle)
    for count in LENGTHS:
        expected, _, _ = hub(noise(count))
        scores = serve(waveform=tf.constant(noise(count)))["scores"]
        np.testing.assert_allclose(scores, expected, atol=TOLERANCE)


@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing(),
        Preprocessing(high_pass_hz=150.0),
        Preprocessing(level_dbfs=-10.0),
        Preprocessing(high_pass_hz=400.0, level_dbfs=-40.0, max_gain_db=6.0),
    ],
)
def test_windows_have_the_log_mel_of_the_listener(preprocessing: Preprocessing):
    params = FeatureParams(preprocessing=preprocessing)
    waveform = noise(48_000)
    windows = np.stack(contents_of(waveform, params, WindowFrames(params)))
    np.testing.assert_allclose(
        tf_log_mel_of_windows(windows, params),
        log_mel_patches(waveform, params),
        atol=5 * TOLERANCE,
    )


@pytest.mark.parametrize("count", [1, 5])
def test_the_signature_windows_gives_the_bundles_scores(tones_bundle: Bundle, count: int):
    params = tones_bundle.manifest.features
    samples = noise(params.window_samples + (count - 1) * params.patch_hop_samples)
    windows = np.stack(contents_of(samples, params, WindowFrames(params)))
    model = tf.saved_model.load(str(tones_bundle.saved_model_path))
    outputs = model.signatures["windows"](windows=tf.constant(windows))
    expected, _ = LiteRTEngine(tones_bundle.model_path).infer(log_mel_patches(samples, params))
    assert expected.shape == (count, 3)
    np.testing.assert_allclose(outputs["scores"], expected, atol=TOLERANCE)
