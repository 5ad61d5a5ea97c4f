"""The stuff that sounds are made of: tones, glides, decays, patterns of pulses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples

SAMPLE_RATE_HZ = 16_000
_RAMP_SECONDS = 0.005  # so that a tone begins and ends without a click
_HIGHEST_HZ = 7_500.0  # of harmonics: what the front end looks at, and no alias


class Generator(Protocol):
    """A sound that can be made at any length."""

    def __call__(self, seconds: float, rng: np.random.Generator, jitter: float = 0.0, /) -> Samples:
        """Float32 (n,) at SAMPLE_RATE_HZ, within [-1, 1].

        `jitter` 0 gives the nominal sound, 1 uses the whole tolerance of its standard (or what the
        docstring says), drawn from `rng`; between, a part of it.
        """
        ...


def sample_count(seconds: float) -> int:
    """Samples in so many seconds."""
    return round(seconds * SAMPLE_RATE_HZ)


def sample_times(seconds: float) -> NDArray[np.float64]:
    """The time of each sample, seconds."""
    return np.arange(sample_count(seconds)) / SAMPLE_RATE_HZ


def vary(nominal: float, tolerance: float, rng: np.random.Generator, jitter: float) -> float:
    """`nominal`, off by at most `jitter * tolerance` of itself (0.1 is 10 %), uniformly drawn."""
    return nominal * (1.0 + jitter * tolerance * rng.uniform(-1.0, 1.0))


def silence(seconds: float) -> Samples:
    """Zeros."""
    return np.zeros(sample_count(seconds), np.float32)


def tone(frequencies_hz: Sequence[float], seconds: float) -> Samples:
    """Sines of equal strength, peak at most 1, with short ramps."""
    t = sample_times(seconds)
    waves = [np.sin(2 * np.pi * frequency * t) for frequency in frequencies_hz]
    return with_ramps(np.mean(waves, axis=0))


def square_tone(frequency_hz: float, seconds: float) -> Samples:
    """A square wave's odd harmonics, each 1 / number as strong, as far as the front end hears."""
    return glide(np.full(sample_count(seconds), frequency_hz), harmonics=range(1, 99, 2))


def glide(frequency_hz: NDArray[np.float64], harmonics: Sequence[int] = (1,)) -> Samples:
    """A tone whose frequency is given for each sample; harmonic k is 1 / k as strong; peak 1."""
    phase = 2 * np.pi * np.cumsum(frequency_hz) / SAMPLE_RATE_HZ
    highest = frequency_hz.max()
    heard = [k for k in harmonics if k * highest <= _HIGHEST_HZ]
    wave = np.sum([np.sin(k * phase) / k for k in heard], axis=0)
    return with_ramps(wave / np.abs(wave).max())


def struck(frequencies_hz: Sequence[float], decay_seconds: float, seconds: float) -> Samples:
    """Sines that fall by 60 dB in `decay_seconds`, as of a bell that was struck."""
    ringing = tone(frequencies_hz, seconds)
    fall: Samples = (10 ** (-3 * sample_times(seconds) / decay_seconds)).astype(np.float32)
    return ringing * fall


def with_ramps(wave: NDArray[np.floating]) -> Samples:
    """The wave with 5 ms of fade at both ends, float32."""
    distance = np.minimum(np.arange(len(wave)), len(wave) - np.arange(len(wave)))
    ramp = np.minimum(1.0, distance / sample_count(_RAMP_SECONDS))
    faded: Samples = (ramp * wave).astype(np.float32)
    return faded


def pulses(pattern: Sequence[tuple[Samples, float]], seconds: float) -> Samples:
    """Sounds, each followed by a pause in seconds, over and over until `seconds` are full."""
    period = np.concatenate([part for sound, pause in pattern for part in (sound, silence(pause))])
    repeated: Samples = np.resize(period, sample_count(seconds))
    return repeated
