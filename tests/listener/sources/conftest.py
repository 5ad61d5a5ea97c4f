"""The recording that the source tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

TONE_RATE = 16_000
TONE_RMS = 0.5 / np.sqrt(2)


@pytest.fixture(scope="session")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of 440 Hz at half of full scale, 16-bit WAV at 16 kHz; loops without a click."""
    path = tmp_path_factory.mktemp("tone") / "tone.wav"
    samples = 0.5 * np.sin(2 * np.pi * 440 * np.arange(3 * TONE_RATE) / TONE_RATE)
    soundfile.write(path, samples, TONE_RATE, subtype="PCM_16")
    return path
