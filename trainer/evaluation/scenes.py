"""Scenes of recordings over noise, with exact truth: when each sound really sounds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from listener.detection.audio import Samples
from listener.soundscape.scene import PlacedSound, Scene
from listener.soundscape.synthesis import SAMPLE_RATE_HZ, coloured_noise

_FRAME_SECONDS = 0.02
_AUDIBLE_DB = 20.0  # under the loudest frame: softer than that is the recording's own background
_SHORTEST_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Recording:
    """What a recording holds: a label and its samples, float32 (n,) at SAMPLE_RATE_HZ."""

    label: str
    samples: Samples


@dataclass(frozen=True, slots=True)
class ScenePlan:
    """What scenes are like; numbers are drawn uniformly between the two.

    `snr_db` is each sound's RMS over the noise's, `noise_exponent` the noise's colour (0 white, 2
    brown), `event_seconds` the longest segment of a recording, `pause_seconds` the longest pause that is
    part of a sound.
    """

    seconds: float = 30.0
    events: tuple[int, int] = (1, 4)
    event_seconds: float = 5.0
    pause_seconds: float = 0.5
    snr_db: tuple[float, float] = (5.0, 25.0)
    noise_exponent: tuple[float, float] = (0.0, 2.0)
    background_dbfs: tuple[float, float] = (-55.0, -35.0)


def make_scenes(
    recordings: Sequence[Recording], count: int, seed: int, plan: ScenePlan | None = None
) -> list[Scene]:
    """Scenes of the recordings at random onsets, at random levels; they may overlap.

    Sounds of one label in one scene do not overlap, because their truth would be ambiguous.

    Raises:
        ValueError: no recordings, or none in which anything is heard.
    """
    plan = plan or ScenePlan()
    sounds = [
        Recording(recording.label, sound)
        for recording in recordings
        for sound in active_segments(recording.samples, plan.event_seconds, plan.pause_seconds)
    ]
    if not sounds:
        raise ValueError(f"scenes: expected recordings with sound, got {len(recordings)} without")
    return [
        _make_scene(sounds, plan, np.random.default_rng([seed, number])) for number in range(count)
    ]


def active_segments(
    samples: Samples, longest_seconds: float, pause_seconds: float
) -> list[Samples]:
    """The segments in which something is heard, each at most so long.

    A frame of 20 ms is heard if its power is within 20 dB of the loudest's; pauses up to
    `pause_seconds` are part of a segment; segments under a quarter second are dropped.
    """
    frame = round(_FRAME_SECONDS * SAMPLE_RATE_HZ)
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    power = np.mean(np.square(frames), axis=1)
    if not len(power) or not power.max() > 0:
        return []
    heard = np.flatnonzero(power >= power.max() * 10 ** (-_AUDIBLE_DB / 10))
    bridged = round(pause_seconds / _FRAME_SECONDS)
    runs = np.split(heard, np.flatnonzero(np.diff(heard) > bridged) + 1)
    longest = round(longest_seconds * SAMPLE_RATE_HZ)
    parts = [samples[run[0] * frame : (run[-1] + 1) * frame][:longest] for run in runs]
    return [part for part in parts if len(part) >= _SHORTEST_SECONDS * SAMPLE_RATE_HZ]


def _make_scene(sounds: Sequence[Recording], plan: ScenePlan, rng: np.random.Generator) -> Scene:
    background = coloured_noise(plan.seconds, rng, rng.uniform(*plan.noise_exponent))
    level = rng.uniform(*plan.background_dbfs)
    samples = background * np.float32(10 ** (level / 20) / _rms(background))
    noise_rms = _rms(samples)
    truth: list[PlacedSound] = []
    for _ in range(rng.integers(plan.events[0], plan.events[1] + 1)):
        sound = sounds[int(rng.integers(len(sounds)))]
        start = int(rng.integers(max(1, len(samples) - len(sound.samples))))
        end = min(start + len(sound.samples), len(samples))
        placed = PlacedSound(sound.label, start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ)
        same = (other for other in truth if other.label == placed.label)
        if any(placed.onset < other.offset and other.onset < placed.offset for other in same):
            continue
        gain = noise_rms * 10 ** (rng.uniform(*plan.snr_db) / 20) / _rms(sound.samples)
        samples[start:end] += np.float32(gain) * sound.samples[: end - start]
        truth.append(placed)
    return Scene(samples, tuple(sorted(truth, key=lambda placed: placed.onset)))


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
