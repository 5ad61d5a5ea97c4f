"""Noises of three colours, and what knocks and clicks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from listener.detection.audio import Samples
from listener.soundscape.waves import SAMPLE_RATE_HZ, sample_count, silence, struck

_RMS = 0.25
_LOWEST_HZ = (
    20.0  # below, power stays level: else a long brown noise is all rumble, and silent to us
)
_LEAST_PAUSE_SECONDS, _MOST_PAUSE_SECONDS = 0.15, 0.6


_Stroke = Callable[[np.random.Generator], Samples]


def white_noise(seconds: float, rng: np.random.Generator, _jitter: float = 0.0) -> Samples:
    """Equal power in every hertz, RMS 0.25."""
    return coloured_noise(seconds, rng, exponent=0.0)


def pink_noise(seconds: float, rng: np.random.Generator, _jitter: float = 0.0) -> Samples:
    """Equal power in every octave from 20 Hz, RMS 0.25."""
    return coloured_noise(seconds, rng, exponent=1.0)


def brown_noise(seconds: float, rng: np.random.Generator, _jitter: float = 0.0) -> Samples:
    """Power falling by 6 dB an octave from 20 Hz, RMS 0.25."""
    return coloured_noise(seconds, rng, exponent=2.0)


def coloured_noise(seconds: float, rng: np.random.Generator, exponent: float) -> Samples:
    """Gaussian noise with power ~ 1 / f ** exponent from 20 Hz, RMS 0.25."""
    count = sample_count(seconds)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency_hz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE_HZ)
    shape = np.maximum(frequency_hz / _LOWEST_HZ, 1.0) ** (-exponent / 2)
    noise = np.fft.irfft(spectrum * shape, count)
    noise -= noise.mean()
    scaled: Samples = (_RMS * noise / np.sqrt(np.mean(noise**2))).astype(np.float32)
    return scaled


def knocks(seconds: float, rng: np.random.Generator, _jitter: float = 0.0) -> Samples:
    """Knuckles on wood: dull thuds, 0.15 to 0.6 s apart, each a little different."""
    return _strokes(_knock, seconds, rng)


def clicks(seconds: float, rng: np.random.Generator, _jitter: float = 0.0) -> Samples:
    """Switches and keys: a few milliseconds of noise, 0.15 to 0.6 s apart."""
    return _strokes(_click, seconds, rng)


def _strokes(stroke: _Stroke, seconds: float, rng: np.random.Generator) -> Samples:
    samples = silence(seconds)
    onset = 0.0
    while onset < seconds:
        start = sample_count(onset)
        room = samples[start:]
        sound = stroke(rng)[: len(room)]
        room[: len(sound)] = sound
        onset += rng.uniform(_LEAST_PAUSE_SECONDS, _MOST_PAUSE_SECONDS)
    return samples


def _knock(rng: np.random.Generator) -> Samples:
    resonances_hz = rng.uniform(100.0, 500.0, 4)
    thud: Samples = struck(resonances_hz.tolist(), rng.uniform(0.05, 0.12), 0.12)
    return thud * np.float32(rng.uniform(0.5, 1.0))


def _click(rng: np.random.Generator) -> Samples:
    count = sample_count(rng.uniform(0.002, 0.008))
    noise = rng.uniform(-1.0, 1.0, count) * np.linspace(1.0, 0.0, count)
    return noise.astype(np.float32)
