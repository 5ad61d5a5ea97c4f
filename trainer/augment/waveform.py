"""A clip as it might have sounded: louder, earlier, faster, higher, in another room."""

from __future__ import annotations

import numpy as np
import soxr

from listener.detection.audio import Samples
from trainer.augment.vocoder import stretch_time


def change_gain(samples: Samples, gain_db: float) -> Samples:
    """Louder or softer; not clipped, as the front end takes any level."""
    return samples * np.float32(10.0 ** (gain_db / 20.0))


def shift_time(samples: Samples, count: int) -> Samples:
    """Later by `count` samples (earlier if negative); the end comes round to the beginning.

    Rotated, not padded: the label is of the whole clip, so no sound may fall out of it.
    """
    return np.roll(samples, count)


def change_speed(samples: Samples, factor: float) -> Samples:
    """Played `factor` times as fast, pitch and all: (n,) -> (about n / factor,), by soxr.

    Raises:
        ValueError: a factor that is not above 0.
    """
    if not factor > 0.0:
        raise ValueError(f"speed: expected a factor above 0, got {factor}")
    return np.asarray(soxr.resample(samples, factor, 1.0), np.float32)


def shift_pitch(samples: Samples, semitones: float) -> Samples:
    """Higher or lower at the same length: a phase vocoder stretches time, soxr plays it faster."""
    factor = 2.0 ** (semitones / 12.0)
    shifted = change_speed(stretch_time(samples, factor), factor)
    return _fit_length(shifted, len(samples))


def add_reverb(
    samples: Samples,
    rt60_seconds: float,
    direct_to_reverb_db: float,
    sample_rate_hz: int,
    rng: np.random.Generator,
) -> Samples:
    """In a room: the clip, and its echo off exponentially decaying noise; what rings on is cut.

    `rt60_seconds` is the time in which the echo falls by 60 dB, `direct_to_reverb_db` the energy of the
    direct sound over that of the echo's impulse response (Polack's model of late reverberation).

    Raises:
        ValueError: an rt60 that is shorter than two samples.
    """
    tail = _decaying_noise(rt60_seconds, sample_rate_hz, rng)
    tail *= 10.0 ** (-direct_to_reverb_db / 20.0)
    return samples + _convolve(samples, tail)[: len(samples)]


def _decaying_noise(rt60_seconds: float, sample_rate_hz: int, rng: np.random.Generator) -> Samples:
    """Unit energy; its first sample is 0, the place of the direct sound."""
    count = round(rt60_seconds * sample_rate_hz)
    if count < 2:  # noqa: PLR2004 - one for the direct sound, one for an echo
        raise ValueError(f"rt60: expected at least two samples, got {rt60_seconds} s")
    seconds = np.arange(count) / sample_rate_hz
    tail = rng.standard_normal(count) * 10.0 ** (-3.0 * seconds / rt60_seconds)
    tail[0] = 0.0
    return (tail / np.sqrt(np.sum(tail**2))).astype(np.float32)


def _convolve(samples: Samples, response: Samples) -> Samples:
    length = len(samples) + len(response)
    product = np.fft.rfft(samples, length) * np.fft.rfft(response, length)
    return np.fft.irfft(product, length).astype(np.float32)


def _fit_length(samples: Samples, length: int) -> Samples:
    return np.pad(samples[:length], (0, max(length - len(samples), 0)))
