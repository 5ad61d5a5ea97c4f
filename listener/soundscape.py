"""Generated sounds and mixed scenes with exact ground truth. Pure: the same seed gives the same samples.

Used by the demo and the tests, and by the trainer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples

SAMPLE_RATE_HZ = 16_000
_RAMP_SECONDS = 0.005  # so that a tone begins and ends without a click

Generator = Callable[[float, np.random.Generator], Samples]


@dataclass(frozen=True, slots=True)
class PlacedSound:
    """What is heard in a scene: a label from onset to offset, seconds."""

    label: str
    onset: float
    offset: float


@dataclass(frozen=True, slots=True)
class Scene:
    """Samples, float32 (n,) at SAMPLE_RATE_HZ, and what they hold."""

    samples: Samples
    truth: tuple[PlacedSound, ...]


def tone(frequencies_hz: Sequence[float], seconds: float) -> Samples:
    """Sines of equal strength, peak at most 1, with short ramps."""
    t = _times(seconds)
    waves = [np.sin(2 * np.pi * frequency * t) for frequency in frequencies_hz]
    ramp = np.minimum(1.0, np.minimum(t, seconds - t) / _RAMP_SECONDS)
    return (ramp * np.mean(waves, axis=0)).astype(np.float32)


def pulses(pattern: Sequence[tuple[Samples, float]], seconds: float) -> Samples:
    """Sounds, each followed by a pause in seconds, over and over until `seconds` are full."""
    period = np.concatenate(
        [np.append(sound, np.zeros(_count(pause), np.float32)) for sound, pause in pattern]
    )
    return np.resize(period, _count(seconds))


def smoke_alarm(seconds: float, _rng: np.random.Generator) -> Samples:
    """The temporal-three pattern of ISO 8201: three half-second pulses, then a pause of 1.5 s.

    3150 Hz is what most domestic alarms use.
    """
    pulse = tone([3150.0], 0.5)
    return pulses([(pulse, 0.5), (pulse, 0.5), (pulse, 1.5)], seconds)


def busy_signal(seconds: float, _rng: np.random.Generator) -> Samples:
    """The North American busy tone: 480 and 620 Hz, half a second on and off."""
    return pulses([(tone([480.0, 620.0], 0.5), 0.5)], seconds)


def white_noise(seconds: float, rng: np.random.Generator) -> Samples:
    """Equal power in every hertz, RMS 0.25."""
    return _coloured_noise(seconds, rng, exponent=0.0)


def pink_noise(seconds: float, rng: np.random.Generator) -> Samples:
    """Equal power in every octave, RMS 0.25."""
    return _coloured_noise(seconds, rng, exponent=1.0)


def brown_noise(seconds: float, rng: np.random.Generator) -> Samples:
    """Power falling by 6 dB an octave, RMS 0.25."""
    return _coloured_noise(seconds, rng, exponent=2.0)


def _coloured_noise(seconds: float, rng: np.random.Generator, exponent: float) -> Samples:
    """Gaussian noise with power ~ 1 / f ** exponent."""
    count = _count(seconds)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    bins = np.maximum(1.0, np.arange(len(spectrum)))
    noise = np.fft.irfft(spectrum * bins ** (-exponent / 2), count)
    noise -= noise.mean()
    return (0.25 * noise / np.sqrt(np.mean(noise**2))).astype(np.float32)


def mix_scene(
    sounds: Sequence[tuple[PlacedSound, Generator]],
    seconds: float,
    *,
    snr_db: float,
    background_dbfs: float = -50.0,
    seed: int = 0,
) -> Scene:
    """A scene over brown noise: each sound at `snr_db` over the background's RMS."""
    rng = np.random.default_rng(seed)
    background = _at_level(brown_noise(seconds, rng), background_dbfs)
    samples = background.copy()
    for placed, generate in sounds:
        sound = generate(placed.offset - placed.onset, rng)
        start = _count(placed.onset)
        samples[start : start + len(sound)] += _at_level(sound, background_dbfs + snr_db)
    return Scene(samples, tuple(placed for placed, _ in sounds))


def _at_level(sound: Samples, dbfs: float) -> Samples:
    rms = np.sqrt(np.mean(np.square(sound)))
    scaled: NDArray[np.float32] = sound * np.float32(10 ** (dbfs / 20) / rms)
    return scaled


def _times(seconds: float) -> NDArray[np.float64]:
    return np.arange(_count(seconds)) / SAMPLE_RATE_HZ


def _count(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)
