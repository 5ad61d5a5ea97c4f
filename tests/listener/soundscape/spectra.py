"""Level, pitch and band power of samples."""

from __future__ import annotations

import numpy as np

from listener.detection.audio import Samples
from listener.soundscape.synthesis import SAMPLE_RATE_HZ as RATE


def cut(samples: Samples, onset: float, seconds: float) -> Samples:
    return samples[round(onset * RATE) : round((onset + seconds) * RATE)]


def sounds_at(samples: Samples, at: float) -> bool:
    """Whether anything sounds within 10 ms around a time."""
    return bool(np.abs(cut(samples, at - 0.005, 0.01)).max() > 1e-3)


def pitch_hz(samples: Samples) -> float:
    """The frequency of the strongest line, to about a hertz."""
    size = 16 * RATE
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
    return float(spectrum.argmax()) / 16


def band_power(samples: Samples, low_hz: float, high_hz: float) -> float:
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    frequency_hz = np.fft.rfftfreq(len(samples), 1 / RATE)
    return float(spectrum[(frequency_hz >= low_hz) & (frequency_hz < high_hz)].sum())
