"""Sound files for the tones bundle, with their ground truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from listener.detection.audio import Samples
from tests.bundles import HIGH_TONE_HZ, LOW_TONE_HZ
from tests.listener.detection.waveforms import RATE_HZ, noise, silence, sine

TOLERANCE_SECONDS = 0.5  # a little over a patch hop


def two_tones(sample_rate_hz: int = RATE_HZ) -> Samples:
    """Nine seconds: low_tone from 1 to 4, high_tone from 5 to 8."""
    low, high = (sine(hz, 3.0, 0.5, sample_rate_hz) for hz in (LOW_TONE_HZ, HIGH_TONE_HZ))
    quiet = silence(1.0, sample_rate_hz)
    return np.concatenate([quiet, low, quiet, high, quiet])


TRUTH = [("low_tone", 1.0, 4.0), ("high_tone", 5.0, 8.0)]


def write_sound(path: Path, samples: Samples, sample_rate_hz: int = RATE_HZ) -> Path:
    """Write floats, so that nothing is rounded; the suffix gives the format."""
    subtype = "FLOAT" if path.suffix == ".wav" else None
    soundfile.write(path, samples, sample_rate_hz, subtype=subtype)
    return path


def write_damaged(path: Path) -> Path:
    """A FLAC: a tone from 1 to 4 s, then noise that cannot be decoded from about its middle on."""
    samples = np.concatenate([silence(1.0), sine(500.0, 3.0, 0.5), noise(6 * RATE_HZ)])
    soundfile.write(path, samples, RATE_HZ)
    content = bytearray(path.read_bytes())
    at = len(content) * 3 // 4
    content[at : at + 1000] = bytes(1000)
    path.write_bytes(content)
    return path
