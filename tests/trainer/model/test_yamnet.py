"""Our YAMNet gives the scores of TF Hub's; other variables are refused in one line."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from listener.detection.log_mel import mel_matrix
from listener.detection.params import FeatureParams
from listener.engines.litert import LiteRTEngine
from tests.shared import read_esc10, read_waveform
from trainer.errors import BackboneError
from trainer.model.yamnet import load_yamnet, read_class_map

TOLERANCE = 1e-4
RATE_HZ = 16_000
PARAMS = FeatureParams()

Waveform = NDArray[np.float32]
Hub = Callable[[Waveform], tuple[Any, Any, Any]]


def noise(count: int) -> Waveform:
    return np.random.default_rng(count).normal(0.0, 0.1, count).astype(np.float32)


def sine(amplitude: float) -> Waveform:
    time = np.arange(48_000) / RATE_HZ
    return (amplitude * np.sin(2 * np.pi * 1000.0 * time)).astype(np.float32)


@pytest.fixture(scope="module")
def hub(shared: Path) -> Hub:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pkg_resources
        import tensorflow_hub  # noqa: PLC0415
    model: Hub = tensorflow_hub.load(str(shared / "models" / "yamnet"))
    return model


@pytest.fixture(scope="module")
def engine(yamnet_bundle: Bundle) -> LiteRTEngine:
    return LiteRTEngine(yamnet_bundle.model_path)


def stft_frames(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """The log-mel that patches at half a patch of hop came from, each STFT frame once."""
    return np.concatenate((patches[0, :48], *patches[:, 48:]))


def exact_log_mel(waveform: Waveform, frames: int) -> NDArray[np.float64]:
    """The same arithmetic in float64, the end padded with silence."""
    padded = np.zeros(400 + 160 * (frames - 1))
    padded[: len(waveform)] = waveform
    windows = np.lib.stride_tricks.sliding_window_view(padded, 400)[::160]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    mel = np.abs(np.fft.rfft(windows * hann, 512)) @ mel_matrix(PARAMS).astype(np.float64)
    return np.asarray(np.log(mel + 0.001), np.float64)


def assert_log_mel_equals_hubs(waveform: Waveform, hub: Hub) -> None:
    """Within the tolerance, or nearer to float64 than hub is.

    Hub's float32 FFT is 1e-3 and more off in quiet bands beside a loud tone (ours is 2 to 11 times
    nearer), so that there no other FFT can be within 1e-4 of it.
    """
    ours = stft_frames(log_mel_patches(waveform, PARAMS))
    hubs = hub(waveform)[2].numpy()[: len(ours)]
    exact = exact_log_mel(waveform, len(ours))
    if np.abs(ours - hubs).max() > TOLERANCE:
        assert np.abs(ours - exact).max() < np.abs(hubs - exact).max()


def assert_scores_equal_hubs(waveform: Waveform, hub: Hub, engine: LiteRTEngine) -> None:
    scores, embeddings = (output.numpy() for output in hub(waveform)[:2])
    ours, our_embeddings = engine.infer(log_mel_patches(waveform, PARAMS))
    np.testing.assert_allclose(ours, scores, atol=TOLERANCE)
    np.testing.assert_allclose(our_embeddings, embeddings, atol=10 * TOLERANCE)


@pytest.mark.parametrize(
    "waveform",
    [
        np.zeros(48_000, np.float32),
        noise(48_000),
        sine(0.01),
        noise(1),
        noise(15_599),
        noise(15_600),
        noise(15_601),
        noise(23_280),
        noise(23_281),
    ],
)
def test_a_generated_waveform_gives_hubs_log_mel_and_scores(waveform, hub, engine):
    ours = stft_frames(log_mel_patches(waveform, PARAMS))
    np.testing.assert_allclose(ours, hub(waveform)[2][: len(ours)], atol=TOLERANCE)
    assert_scores_equal_hubs(waveform, hub, engine)


@pytest.mark.parametrize("amplitude", [0.1, 0.5, 1.0])
def test_a_loud_sine_has_hubs_log_mel_or_a_better_one(amplitude: float, hub):
    assert_log_mel_equals_hubs(sine(amplitude), hub)


def test_twenty_real_recordings_give_hubs_log_mel_and_scores(shared: Path, hub, engine):
    for recording in read_esc10(shared)[::20]:
        waveform = read_waveform(recording.path)
        assert_log_mel_equals_hubs(waveform, hub)
        assert_scores_equal_hubs(waveform, hub, engine)


def test_tflite_gives_what_keras_gives(shared: Path, engine):
    model = load_yamnet(shared / "models" / "yamnet", PARAMS)
    patches = log_mel_patches(noise(80_000), PARAMS)
    expected = model(patches, training=False)
    scores, embeddings = engine.infer(patches)
    np.testing.assert_allclose(scores, expected["scores"], atol=TOLERANCE)
    np.testing.assert_allclose(embeddings, expected["embeddings"], atol=TOLERANCE)


def save_variables(path: Path, layers: dict[int, dict[str, tuple[int, ...]]]) -> Path:
    """A SavedModel's variables with the names of YAMNet's."""
    root, root._yamnet = tf.Module(), tf.Module()
    for number, shapes in layers.items():
        layer = tf.Module()
        for name, shape in shapes.items():
            setattr(layer, name, tf.Variable(tf.zeros(shape)))
        setattr(root._yamnet, f"layer_with_weights-{number}", layer)
    tf.train.Checkpoint(root).write(str(path / "variables" / "variables"))
    return path


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({}, "expected YAMNet's variables .* found none of them"),
        ({0: {"kernel": (3, 3, 1, 32)}}, "expected YAMNet's variables"),
        ({0: {"bias": (7,)}}, "expected 55 layers with weights, found 1"),
        (
            {number: {"bias": (7,)} for number in range(55)},
            r"expected layer1_conv/kernel \(3, 3, 1, 32\), found nothing",
        ),
        (
            {0: {"kernel": (5, 5, 1, 32)}} | {number: {"bias": (7,)} for number in range(1, 55)},
            r"expected layer1_conv/kernel \(3, 3, 1, 32\), found \(5, 5, 1, 32\)",
        ),
    ],
)
def test_the_variables_of_another_net_are_refused(tmp_path: Path, layers, message):
    with pytest.raises(BackboneError, match=message):
        load_yamnet(save_variables(tmp_path, layers), PARAMS)


def test_a_directory_without_variables_is_refused(tmp_path: Path):
    with pytest.raises(BackboneError, match="expected a SavedModel with variables/"):
        load_yamnet(tmp_path, PARAMS)


@pytest.mark.parametrize("content", [None, b"a,b\n1,2\n", b"mid,display_name\n\xff,\xfe\n"])
def test_a_class_map_of_another_form_is_refused(tmp_path: Path, content: bytes | None):
    (tmp_path / "assets").mkdir()
    if content is not None:
        (tmp_path / "assets" / "yamnet_class_map.csv").write_bytes(content)
    with pytest.raises(BackboneError, match="expected a CSV with the columns"):
        read_class_map(tmp_path)
