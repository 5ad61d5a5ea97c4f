"""Noise and background under a clip, at a given signal-to-noise ratio."""

from __future__ import annotations

import numpy as np

from listener.detection.audio import Samples
from listener.soundscape.synthesis import SAMPLE_RATE_HZ, coloured_noise


def add_noise(samples: Samples, noise: Samples, snr_db: float) -> Samples:
    """Both together, the noise scaled to lie `snr_db` below the clip; float32 (n,) each.

    The ratio is of mean powers over the whole clip, its pauses included. Where either is silent there
    is no ratio, and the clip comes back as it was.

    Raises:
        ValueError: the two differ in length.
    """
    if samples.shape != noise.shape:
        raise ValueError(f"noise: expected {samples.shape}, got {noise.shape}")
    signal_rms, noise_rms = _rms(samples), _rms(noise)
    if not (signal_rms > 0.0 and noise_rms > 0.0):
        return samples
    gain = signal_rms / noise_rms * 10.0 ** (-snr_db / 20.0)
    return samples + np.float32(gain) * noise


def add_coloured_noise(
    samples: Samples, snr_db: float, exponent: float, rng: np.random.Generator
) -> Samples:
    """With Gaussian noise whose power falls as 1 / f ** exponent: 0 white, 1 pink, 2 brown."""
    if not len(samples):
        return samples
    noise = coloured_noise(len(samples) / SAMPLE_RATE_HZ, rng, exponent)
    return add_noise(samples, noise, snr_db)


def add_background(
    samples: Samples, background: Samples, snr_db: float, rng: np.random.Generator
) -> Samples:
    """With a stretch of a real recording from a random place; a short one is repeated.

    Raises:
        ValueError: the background is empty.
    """
    if not len(background):
        raise ValueError("background: expected at least one sample, got none")
    start = int(rng.integers(len(background)))
    places = np.arange(start, start + len(samples))
    return add_noise(samples, background.take(places, mode="wrap"), snr_db)


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
