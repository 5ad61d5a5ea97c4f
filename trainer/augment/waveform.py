"""Changes of a waveform: gain, shift, speed, pitch, bandwidth, reverb and noise."""

import numpy as np
import soxr
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.soundscape.synthesis import SAMPLE_RATE_HZ, coloured_noise

Spectrum = NDArray[np.complex64]  # (frames, bins)

_FFT_LENGTH = 1024  # 64 ms at 16 kHz
_HOP = _FFT_LENGTH // 4  # at which squared Hann windows add up to a constant
_WINDOW = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT_LENGTH) / _FFT_LENGTH)).astype(np.float32)
_MU = 255  # of G.711's mu-law
_MIN_WEIGHT = 1e-3  # at the edges, where the windows do not add up to full height


def change_gain(samples: Samples, gain_db: float) -> Samples:
    """Louder or softer; not clipped, because the front end takes any level."""
    return samples * np.float32(10.0 ** (gain_db / 20.0))


def shift_time(samples: Samples, count: int) -> Samples:
    """Later by `count` samples (earlier if negative); what leaves at the end returns at the start.

    Rotated, not padded: the label is of the whole clip, so no sound may be lost.
    """
    return np.roll(samples, count)


def change_speed(samples: Samples, factor: float) -> Samples:
    """Played `factor` times as fast, which changes the pitch too: (n,) -> (about n / factor,).

    Raises:
        ValueError: a factor that is not above 0.
    """
    if not factor > 0.0:
        raise ValueError(f"speed: expected a factor above 0, got {factor}")
    return np.asarray(soxr.resample(samples, factor, 1.0), np.float32)


def shift_pitch(samples: Samples, semitones: float) -> Samples:
    """Higher or lower at the same length: time is stretched, then played faster."""
    factor = 2.0 ** (semitones / 12.0)
    shifted = change_speed(stretch_time(samples, factor), factor)
    return np.pad(shifted[: len(samples)], (0, max(len(samples) - len(shifted), 0)))


def stretch_time(samples: Samples, factor: float) -> Samples:
    """`factor` times as long at the same pitch: float32 (n,) -> (round(n * factor),).

    A phase vocoder (Flanagan and Golden, 1966). Neighbouring bins drift apart in phase, which costs
    1.2 dB of level at twice the length.

    Raises:
        ValueError: a factor that is not above 0.
    """
    if not factor > 0.0:
        raise ValueError(f"stretch: expected a factor above 0, got {factor}")
    if not len(samples):
        return samples
    # half a window of silence before, so that _istft can cut it off, and a whole one after
    padded = np.pad(samples, (_FFT_LENGTH // 2, _FFT_LENGTH + _HOP))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT_LENGTH)[::_HOP]
    spectrum = np.fft.rfft(frames * _WINDOW).astype(np.complex64)
    return _istft(_resynthesise(spectrum, factor))[: round(len(samples) * factor)]


def _resynthesise(spectrum: Spectrum, factor: float) -> Spectrum:
    """Frames at steps of 1 / factor: magnitudes between neighbours, phases advanced as they do."""
    steps = np.arange(0.0, len(spectrum) - 1, 1.0 / factor)
    before, between = np.divmod(steps, 1.0)
    left = before.astype(int)
    magnitude = np.abs(spectrum)
    share = between[:, None]
    magnitudes = (1.0 - share) * magnitude[left] + share * magnitude[left + 1]
    # what one hop adds to each bin's phase, unwrapped: (frames - 1, bins)
    phase = np.angle(spectrum)
    expected = 2 * np.pi * _HOP * np.arange(phase.shape[1]) / _FFT_LENGTH
    deviation = np.diff(phase.astype(np.float64), axis=0) - expected
    advance = expected + deviation - 2 * np.pi * np.round(deviation / (2 * np.pi))
    # each output frame is one hop after the last: its phase is that one's, plus what a hop adds
    advances = advance[left]
    phases = phase[0] + np.concatenate((np.zeros_like(advances[:1]), np.cumsum(advances[:-1], 0)))
    return (magnitudes * np.exp(1j * phases)).astype(np.complex64)


def _istft(spectrum: Spectrum) -> Samples:
    frames = np.fft.irfft(spectrum, _FFT_LENGTH).astype(np.float32) * _WINDOW
    samples = np.zeros((len(frames) - 1) * _HOP + _FFT_LENGTH, np.float32)
    weight = np.zeros_like(samples)
    for number, frame in enumerate(frames):
        start = number * _HOP
        samples[start : start + _FFT_LENGTH] += frame
        weight[start : start + _FFT_LENGTH] += _WINDOW**2
    half = _FFT_LENGTH // 2
    level = np.maximum(weight[half:], _MIN_WEIGHT)
    return (samples[half:] / level).astype(np.float32)


def limit_band(samples: Samples, limit_hz: float, sample_rate_hz: int, bits: int = 0) -> Samples:
    """Nothing above `limit_hz`, as after resampling to twice that rate and back: (n,) -> (n,).

    With `bits`, the samples between are rounded, see `compand`: 8 are those of G.711, fewer sound like
    cheaper codecs. A limit of half the sample rate or more changes nothing.
    """
    narrow_hz = 2.0 * limit_hz
    if narrow_hz >= sample_rate_hz or not len(samples):
        return samples
    narrow = np.asarray(soxr.resample(samples, sample_rate_hz, narrow_hz), np.float32)
    if bits:
        narrow = compand(narrow, bits)
    wide = np.asarray(soxr.resample(narrow, narrow_hz, sample_rate_hz), np.float32)[: len(samples)]
    return np.pad(wide, (0, len(samples) - len(wide)))


def compand(samples: Samples, bits: int) -> Samples:
    """Rounded to `bits` in mu-law, whose steps are finer where it is quiet (ITU-T G.711); 1.0 clips."""
    levels = 2.0 ** (bits - 1) - 1.0  # of each sign
    pressed = np.sign(samples) * np.log1p(_MU * np.minimum(np.abs(samples), 1.0)) / np.log1p(_MU)
    rounded = np.round(pressed * levels) / levels
    expanded = np.sign(rounded) * np.expm1(np.abs(rounded) * np.log1p(_MU)) / _MU
    return np.asarray(expanded, np.float32)


def soften(samples: Samples, corner_hz: float, sample_rate_hz: int) -> Samples:
    """Falling by 6 dB an octave above `corner_hz`, as through a door or from far away: (n,) -> (n,)."""
    length = len(samples) + sample_rate_hz // 10  # the filter rings for less
    ratio = np.fft.rfftfreq(length, 1 / sample_rate_hz) / corner_hz
    filtered = np.fft.irfft(np.fft.rfft(samples, length) / (1.0 + 1j * ratio), length)
    return filtered[: len(samples)].astype(np.float32)


def add_reverb(
    samples: Samples,
    rt60_seconds: float,
    direct_to_reverb_db: float,
    sample_rate_hz: int,
    rng: np.random.Generator,
) -> Samples:
    """Add the reverberation of a room, exponentially decaying noise; the length stays (n,).

    `rt60_seconds` is the time in which it falls by 60 dB, `direct_to_reverb_db` the energy of the direct
    sound over that of the reverberation's impulse response (Polack's model of late reverberation).

    Raises:
        ValueError: an rt60 that is shorter than two samples.
    """
    count = round(rt60_seconds * sample_rate_hz)
    if count < 2:  # noqa: PLR2004 - one for the direct sound, one for an echo
        raise ValueError(f"rt60: expected at least two samples, got {rt60_seconds} s")
    seconds = np.arange(count) / sample_rate_hz
    tail = rng.standard_normal(count) * 10.0 ** (-3.0 * seconds / rt60_seconds)
    tail[0] = 0.0  # where the direct sound is
    tail = (tail / np.sqrt(np.sum(tail**2))).astype(np.float32)
    tail *= 10.0 ** (-direct_to_reverb_db / 20.0)
    length = len(samples) + count
    product = np.fft.rfft(samples, length) * np.fft.rfft(tail, length)
    return samples + np.fft.irfft(product, length).astype(np.float32)[: len(samples)]


def add_noise(samples: Samples, noise: Samples, snr_db: float) -> Samples:
    """Add noise, scaled to lie `snr_db` below the clip; float32 (n,) each.

    The ratio is of mean powers over the whole clip, its pauses included. If either is silent there is no
    ratio, and the clip is returned unchanged.

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
    """Add Gaussian noise whose power falls as 1 / f ** exponent: 0 white, 1 pink, 2 brown."""
    if not len(samples):
        return samples
    noise = coloured_noise(len(samples) / SAMPLE_RATE_HZ, rng, exponent)
    return add_noise(samples, noise, snr_db)


def add_background(
    samples: Samples, background: Samples, snr_db: float, rng: np.random.Generator
) -> Samples:
    """Add a recording from a random position on; a short one is repeated.

    Raises:
        ValueError: the background is empty.
    """
    if not len(background):
        raise ValueError("background: expected at least one sample, got none")
    start = int(rng.integers(len(background)))
    indices = np.arange(start, start + len(samples))
    return add_noise(samples, background.take(indices, mode="wrap"), snr_db)


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
