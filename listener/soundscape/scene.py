"""Sounds over a background, with exact ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from listener.detection.audio import Samples
from listener.soundscape.synthesis import Generator, brown_noise, sample_count, sample_times

_PREDELAY_SECONDS = 0.01
_FRAME_SECONDS = 0.02
_AUDIBLE_DB = 30.0  # under the loudest frame: what counts as a pause


# A simple room: the direct sound and a decaying tail of noise.


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


def mix_scene(
    sounds: Sequence[tuple[PlacedSound, Generator]],
    seconds: float,
    *,
    snr_db: float,
    background: Generator = brown_noise,
    background_dbfs: float = -50.0,
    reverb_seconds: float = 0.0,
    jitter: float = 0.0,
    seed: int = 0,
) -> Scene:
    """A scene over a background: each sound at `snr_db` over the background's RMS.

    The level of a sound is its RMS where it sounds, pauses left out, before reverb is added: with
    `reverb_seconds` (RT60) it rings on after its offset. `jitter` is every sound's, see `Generator`. A
    scene that would clip is made quieter as a whole.

    Raises:
        ValueError: a sound lies outside the scene.
    """
    rng = np.random.default_rng(seed)
    samples = at_level(background(seconds, rng), background_dbfs)
    for placed, generate in sounds:
        _check_inside(placed, seconds)
        sound = generate(placed.offset - placed.onset, rng, jitter)
        sound = at_level(sound, background_dbfs + snr_db)
        if reverb_seconds:
            sound = reverberate(sound, reverb_seconds, rng)
        _add(samples, sound, sample_count(placed.onset))
    return Scene(without_clipping(samples), tuple(placed for placed, _ in sounds))


def clip_sound(clip: Samples) -> Generator:
    """A given clip, at SAMPLE_RATE_HZ, as a sound; over and over where more is asked for."""

    def generate(seconds: float, _rng: np.random.Generator, _jitter: float = 0.0) -> Samples:
        return np.resize(clip, sample_count(seconds))

    return generate


def at_level(sound: Samples, dbfs: float) -> Samples:
    """The sound at this RMS where it sounds; silence stays silence."""
    rms = sounding_rms(sound)
    return sound if rms == 0.0 else sound * np.float32(10 ** (dbfs / 20) / rms)


def sounding_rms(sound: Samples) -> float:
    """RMS over the frames of 20 ms that are within 30 dB of the loudest, pauses left out."""
    frame = sample_count(_FRAME_SECONDS)
    padded = np.append(sound, np.zeros(-len(sound) % frame, np.float32))
    power = np.mean(np.square(padded.reshape(-1, frame)), axis=1)
    if not power.size:
        return 0.0
    return float(np.sqrt(np.mean(power[power >= power.max() * 10 ** (-_AUDIBLE_DB / 10)])))


def without_clipping(samples: Samples) -> Samples:
    """The samples, scaled down if one is over full scale."""
    peak = float(np.abs(samples).max(initial=0.0))
    return samples / np.float32(peak) if peak > 1.0 else samples


def _check_inside(placed: PlacedSound, seconds: float) -> None:
    if not 0.0 <= placed.onset < placed.offset <= seconds:
        raise ValueError(
            f"{placed.label}: expected 0 <= onset < offset <= {seconds:g} s, "
            f"got {placed.onset:g} and {placed.offset:g}"
        )


def _add(samples: Samples, sound: Samples, start: int) -> None:
    """Mix into `samples` in place, what goes beyond its end left out."""
    room = samples[start : start + len(sound)]
    room += sound[: len(room)]
