"""A clip as it might have sounded: louder, earlier, faster, higher, in another room."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.soundscape.synthesis import SAMPLE_RATE_HZ, coloured_noise

_FFT_LENGTH = 1024  # 64 ms at 16 kHz
_LEAST_WEIGHT = 1e-3  # at the very edges, where no window reaches full height


# Noise and background under a clip, at a given signal-to-noise ratio.


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


# A phase vocoder: longer or shorter at the same pitch (Flanagan and Golden, 1966).


_HOP = _FFT_LENGTH // 4  # a squared Hann window adds up to a constant at a quarter of its length

Spectrum = NDArray[np.complex64]


def stretch_time(samples: Samples, factor: float) -> Samples:
    """`factor` times as long, pitch kept: float32 (n,) -> (round(n * factor),).

    Neighbouring bins drift apart in phase, which costs 1.2 dB of level at twice the length.

    Raises:
        ValueError: a factor that is not above 0.
    """
    if not factor > 0.0:
        raise ValueError(f"stretch: expected a factor above 0, got {factor}")
    if not len(samples):
        return samples
    spectrum = _stft(samples)
    stretched = _istft(_resynthesise(spectrum, factor))
    return stretched[: round(len(samples) * factor)]


def _window() -> NDArray[np.float32]:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT_LENGTH) / _FFT_LENGTH)).astype(np.float32)


def _stft(samples: Samples) -> Spectrum:
    """(frames, bins); half a window of silence goes before and a whole one after."""
    padded = np.pad(samples, (_FFT_LENGTH // 2, _FFT_LENGTH + _HOP))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT_LENGTH)[::_HOP]
    return np.fft.rfft(frames * _window()).astype(np.complex64)


def _resynthesise(spectrum: Spectrum, factor: float) -> Spectrum:
    """Frames at steps of 1 / factor: magnitudes between neighbours, phases advanced as they do."""
    steps = np.arange(0.0, len(spectrum) - 1, 1.0 / factor)
    before, between = np.divmod(steps, 1.0)
    left = before.astype(int)
    magnitude = np.abs(spectrum)
    share = between[:, None]
    magnitudes = (1.0 - share) * magnitude[left] + share * magnitude[left + 1]
    phase = np.angle(spectrum)
    advances = _phase_advances(phase)[left]
    # each output frame is one hop after the last: its phase is that one's, plus what a hop adds
    phases = phase[0] + np.concatenate((np.zeros_like(advances[:1]), np.cumsum(advances[:-1], 0)))
    return (magnitudes * np.exp(1j * phases)).astype(np.complex64)


def _phase_advances(phase: NDArray[np.float32]) -> NDArray[np.float64]:
    """What one hop adds to each bin's phase: (frames, bins) -> (frames - 1, bins), unwrapped."""
    expected = 2 * np.pi * _HOP * np.arange(phase.shape[1]) / _FFT_LENGTH
    deviation = np.diff(phase.astype(np.float64), axis=0) - expected
    return expected + deviation - 2 * np.pi * np.round(deviation / (2 * np.pi))


def _istft(spectrum: Spectrum) -> Samples:
    window = _window()
    frames = np.fft.irfft(spectrum, _FFT_LENGTH).astype(np.float32) * window
    samples = np.zeros((len(frames) - 1) * _HOP + _FFT_LENGTH, np.float32)
    weight = np.zeros_like(samples)
    for number, frame in enumerate(frames):
        start = number * _HOP
        samples[start : start + _FFT_LENGTH] += frame
        weight[start : start + _FFT_LENGTH] += window**2
    half = _FFT_LENGTH // 2
    level = np.maximum(weight[half:], _LEAST_WEIGHT)
    return (samples[half:] / level).astype(np.float32)


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
