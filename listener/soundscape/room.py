"""A simple room: the direct sound and a decaying tail of noise."""

from __future__ import annotations

import numpy as np

from listener.detection.audio import Samples
from listener.soundscape.waves import sample_count, sample_times

_PREDELAY_SECONDS = 0.01


def reverberate(
    samples: Samples, rt60_seconds: float, rng: np.random.Generator, direct_to_tail_db: float = 3.0
) -> Samples:
    """The sound in a room whose tail falls by 60 dB in `rt60_seconds`; longer by that tail.

    The tail is noise that decays exponentially (Moorer 1979, "About this reverberation business"), its
    energy `direct_to_tail_db` below the direct sound, which stays as it was and where it was.
    """
    response = _impulse_response(rt60_seconds, direct_to_tail_db, rng)
    count = len(samples) + len(response) - 1
    size = 1 << count.bit_length()  # a power of two is fast
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)
    return wet[:count].astype(np.float32)


def _impulse_response(
    rt60_seconds: float, direct_to_tail_db: float, rng: np.random.Generator
) -> Samples:
    times = sample_times(rt60_seconds)
    tail = rng.standard_normal(len(times)) * 10 ** (-3 * times / rt60_seconds)
    tail *= 10 ** (-direct_to_tail_db / 20) / np.sqrt(np.sum(tail**2))
    gap = np.zeros(sample_count(_PREDELAY_SECONDS) - 1)
    return np.concatenate(([1.0], gap, tail)).astype(np.float32)
