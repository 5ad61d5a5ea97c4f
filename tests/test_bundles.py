"""The tests' own bundle: its scores are what tests/bundles.py promises."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from listener.engines.litert import LiteRTEngine

RATE_HZ = 16_000
TIME = np.arange(2 * RATE_HZ) / RATE_HZ
RNG = np.random.default_rng(7)


def sine(hz: float, amplitude: float) -> NDArray[np.float32]:
    return (amplitude * np.sin(2 * np.pi * hz * TIME)).astype(np.float32)


def white_noise(rms: float) -> NDArray[np.float32]:
    return RNG.normal(0.0, rms, len(TIME)).astype(np.float32)


@pytest.mark.parametrize(
    ("waveform", "heard"),
    [
        (sine(500.0, 0.1), "low_tone"),
        (sine(500.0, 1.0), "low_tone"),
        (sine(3000.0, 0.1), "high_tone"),
        (sine(3000.0, 1.0), "high_tone"),
        (white_noise(0.01), "noise"),
        (white_noise(0.1), "noise"),
        (white_noise(0.3), "noise"),
        (np.zeros(len(TIME), np.float32), None),
        (sine(1200.0, 0.5), None),
    ],
)
def test_one_label_scores_high_and_the_others_low(
    tones_bundle: Bundle, waveform: NDArray[np.float32], heard: str | None
):
    patches = log_mel_patches(waveform[:30_960], tones_bundle.manifest.features)
    scores, _ = LiteRTEngine(tones_bundle.model_path).infer(patches)
    assert len(scores) == 3  # 15600 + 2 x 7680 samples: no padding
    for label, column in zip(tones_bundle.labels, scores.T, strict=True):
        if label == heard:
            assert column.min() > 0.9
        else:
            assert column.max() < 0.1
