"""Building blocks of sounds: tones, glides, decays, pulse patterns, noises, knocks and clicks."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples

SAMPLE_RATE_HZ = 16_000
_RAMP_SECONDS = 0.005  # so that a tone begins and ends without a click
_HIGHEST_HZ = 7_500.0  # of harmonics: the top of the front end's range, without aliases
_NOISE_RMS = 0.25
_LOWEST_HZ = 20.0  # below it noise is flat: a long brown noise would otherwise be inaudible rumble
_STROKE_SPACING_SECONDS = (0.15, 0.6)


class Generator(Protocol):
    """Makes a sound of any length."""

    def __call__(self, seconds: float, rng: np.random.Generator, jitter: float = 0.0, /) -> Samples:
        """Float32 (n,) at SAMPLE_RATE_HZ, within [-1, 1].

        With `jitter` 0 the sound is nominal; with 1 it varies, drawn from `rng`, over the whole
        tolerance of its standard or of its docstring.
        """
        ...


def sample_count(seconds: float) -> int:
    """The number of samples in `seconds`."""
    return round(seconds * SAMPLE_RATE_HZ)


def sample_times(seconds: float) -> NDArray[np.float64]:
    """The time of each sample in seconds."""
    return np.arange(sample_count(seconds)) / SAMPLE_RATE_HZ


def vary(nominal: float, tolerance: float, rng: np.random.Generator, jitter: float) -> float:
    """`nominal`, changed by up to `jitter * tolerance` of itself (0.1 is 10 %), uniformly drawn."""
    return nominal * (1.0 + jitter * tolerance * rng.uniform(-1.0, 1.0))


def silence(seconds: float) -> Samples:
    """Zeros."""
    return np.zeros(sample_count(seconds), np.float32)


def tone(frequencies_hz: Sequence[float], seconds: float) -> Samples:
    """Sines of equal amplitude, peak at most 1, with short ramps."""
    t = sample_times(seconds)
    waves = [np.sin(2 * np.pi * frequency * t) for frequency in frequencies_hz]
    return with_ramps(np.mean(waves, axis=0))


def square_tone(frequency_hz: float, seconds: float) -> Samples:
    """The odd harmonics of a square wave, up to the top of the front end's range."""
    return glide(np.full(sample_count(seconds), frequency_hz), harmonics=range(1, 99, 2))


def glide(frequency_hz: NDArray[np.float64], harmonics: Sequence[int] = (1,)) -> Samples:
    """A tone with a frequency for each sample; harmonic k has 1 / k of the amplitude; peak 1."""
    phase = 2 * np.pi * np.cumsum(frequency_hz) / SAMPLE_RATE_HZ
    highest = frequency_hz.max()
    audible = [k for k in harmonics if k * highest <= _HIGHEST_HZ]
    wave = np.sum([np.sin(k * phase) / k for k in audible], axis=0)
    return with_ramps(wave / np.abs(wave).max())


def struck(frequencies_hz: Sequence[float], decay_seconds: float, seconds: float) -> Samples:
    """Sines that fall by 60 dB in `decay_seconds`, as of a struck bell."""
    decay: Samples = (10 ** (-3 * sample_times(seconds) / decay_seconds)).astype(np.float32)
    return tone(frequencies_hz, seconds) * decay


def with_ramps(wave: NDArray[np.floating]) -> Samples:
    """The wave with 5 ms of fade at both ends."""
    distance = np.minimum(np.arange(len(wave)), len(wave) - np.arange(len(wave)))
    ramp = np.minimum(1.0, distance / sample_count(_RAMP_SECONDS))
    faded: Samples = (ramp * wave).astype(np.float32)
    return faded


def pulses(pattern: Sequence[tuple[Samples, float]], seconds: float) -> Samples:
    """Sounds, each followed by a pause in seconds, repeated to a length of `seconds`."""
    period = np.concatenate([part for sound, pause in pattern for part in (sound, silence(pause))])
    repeated: Samples = np.resize(period, sample_count(seconds))
    return repeated


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
    scaled: Samples = (_NOISE_RMS * noise / np.sqrt(np.mean(noise**2))).astype(np.float32)
    return scaled


def knocks(seconds: float, rng: np.random.Generator, _jitter: float = 0.0) -> Samples:
    """Knuckles on wood: dull thuds, 0.15 to 0.6 s apart, each a little different."""
    return _repeated(_knock, seconds, rng)


def clicks(seconds: float, rng: np.random.Generator, _jitter: float = 0.0) -> Samples:
    """Switches and keys: a few milliseconds of noise, 0.15 to 0.6 s apart."""
    return _repeated(_click, seconds, rng)


def _repeated(
    stroke: Callable[[np.random.Generator], Samples], seconds: float, rng: np.random.Generator
) -> Samples:
    samples = silence(seconds)
    onset = 0.0
    while onset < seconds:
        rest = samples[sample_count(onset) :]
        sound = stroke(rng)[: len(rest)]
        rest[: len(sound)] = sound
        onset += rng.uniform(*_STROKE_SPACING_SECONDS)
    return samples


def _knock(rng: np.random.Generator) -> Samples:
    resonances_hz = rng.uniform(100.0, 500.0, 4)
    thud: Samples = struck(resonances_hz.tolist(), rng.uniform(0.05, 0.12), 0.12)
    return thud * np.float32(rng.uniform(0.5, 1.0))


def _click(rng: np.random.Generator) -> Samples:
    count = sample_count(rng.uniform(0.002, 0.008))
    noise = rng.uniform(-1.0, 1.0, count) * np.linspace(1.0, 0.0, count)
    return noise.astype(np.float32)


NOISES: tuple[Generator, ...] = (white_noise, pink_noise, brown_noise)
STROKES: tuple[Generator, ...] = (knocks, clicks)  # everyday sounds that are no alarm
