"""Scenes: sounds mixed over a background, with exact ground truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from listener.detection.audio import Samples
from listener.soundscape.synthesis import Generator, brown_noise, sample_count, sample_times

_PREDELAY_SECONDS = 0.01
_FRAME_SECONDS = 0.02
_AUDIBLE_DB = 30.0  # below the loudest frame; frames under it are pauses


@dataclass(frozen=True, slots=True)
class PlacedSound:
    """A label from onset to offset in a scene, in seconds."""

    label: str
    onset: float
    offset: float


@dataclass(frozen=True, slots=True)
class Scene:
    """Samples, float32 (n,) at SAMPLE_RATE_HZ, and the sounds in them."""

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

    The level of a sound is its RMS outside its pauses, before reverb is added: with `reverb_seconds`
    (RT60) it rings on after its offset. `jitter` applies to every sound, see `Generator`. A scene that
    would clip is scaled down as a whole.

    Raises:
        ValueError: a sound lies outside the scene.
    """
    rng = np.random.default_rng(seed)
    samples = at_level(background(seconds, rng), background_dbfs)
    for placed, generate in sounds:
        if not 0.0 <= placed.onset < placed.offset <= seconds:
            raise ValueError(
                f"{placed.label}: expected 0 <= onset < offset <= {seconds:g} s, "
                f"got {placed.onset:g} and {placed.offset:g}"
            )
        sound = generate(placed.offset - placed.onset, rng, jitter)
        sound = at_level(sound, background_dbfs + snr_db)
        if reverb_seconds:
            sound = reverberate(sound, reverb_seconds, rng)
        mix_in(samples, sound, placed.onset)
    return Scene(without_clipping(samples), tuple(placed for placed, _ in sounds))


def clip_sound(clip: Samples) -> Generator:
    """A clip at SAMPLE_RATE_HZ as a sound, repeated where more is asked for."""

    def generate(seconds: float, _rng: np.random.Generator, _jitter: float = 0.0) -> Samples:
        return np.resize(clip, sample_count(seconds))

    return generate


def reverberate(
    samples: Samples, rt60_seconds: float, rng: np.random.Generator, direct_to_tail_db: float = 3.0
) -> Samples:
    """The sound in a room whose reverb falls by 60 dB in `rt60_seconds`; longer by that tail.

    The tail is exponentially decaying noise (Moorer 1979, "About this reverberation business"), its
    energy `direct_to_tail_db` below the direct sound, which stays unchanged and in place.
    """
    times = sample_times(rt60_seconds)
    tail = rng.standard_normal(len(times)) * 10 ** (-3 * times / rt60_seconds)
    tail *= 10 ** (-direct_to_tail_db / 20) / np.sqrt(np.sum(tail**2))
    gap = np.zeros(sample_count(_PREDELAY_SECONDS) - 1)
    response = np.concatenate(([1.0], gap, tail)).astype(np.float32)
    count = len(samples) + len(response) - 1
    size = 1 << count.bit_length()  # the FFT is fast at powers of two
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)
    return wet[:count].astype(np.float32)


def at_level(sound: Samples, dbfs: float) -> Samples:
    """The sound scaled to this RMS outside its pauses; silence stays silence."""
    rms = rms_without_pauses(sound)
    return sound if rms == 0.0 else sound * np.float32(10 ** (dbfs / 20) / rms)


def rms_without_pauses(sound: Samples) -> float:
    """RMS over the 20 ms frames within 30 dB of the loudest."""
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


def mix_in(samples: Samples, sound: Samples, onset: float) -> None:
    """Add a sound to `samples` in place, from `onset` seconds; it is cut off at their end."""
    target = samples[sample_count(onset) :][: len(sound)]
    target += sound[: len(target)]
