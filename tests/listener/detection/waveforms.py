"""Waveforms by arithmetic, cut into chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

import numpy as np

from listener.detection.audio import AudioChunk, Samples

RATE_HZ = 16_000


def sine(
    hz: float, seconds: float, amplitude: float = 1.0, sample_rate_hz: int = RATE_HZ
) -> Samples:
    """A sine that begins at zero."""
    time = np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz
    return (amplitude * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def silence(seconds: float, sample_rate_hz: int = RATE_HZ) -> Samples:
    """Zeros."""
    return np.zeros(round(seconds * sample_rate_hz), np.float32)


def noise(samples: int, rms: float = 0.1, seed: int = 1) -> Samples:
    """White noise, the same for the same seed."""
    return np.random.default_rng(seed).normal(0.0, rms, samples).astype(np.float32)


def cut(
    samples: Samples,
    sizes: Sequence[int],
    sample_rate_hz: int = RATE_HZ,
    *,
    start: int = 0,
    captured_at: float = 0.0,
    source: str = "hall",
) -> Iterator[AudioChunk]:
    """Chunks of these sizes, over and over; `start` and `captured_at` are those of samples[0]."""
    begin = 0
    for size in cycle(sizes):
        if begin >= len(samples):
            return
        yield AudioChunk(
            source,
            start + begin,
            captured_at + begin / sample_rate_hz,
            sample_rate_hz,
            samples[begin : begin + size],
        )
        begin += size
