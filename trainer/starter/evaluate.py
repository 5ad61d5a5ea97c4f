"""How well a starter does on what it has not learnt from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.detection.event import SoundEvent
from listener.detection.features import log_mel_patches
from listener.detection.hysteresis import detect_events
from listener.detection.policy import LabelPolicy
from listener.detection.scores import slot_boundaries
from listener.engines.engine import Engine
from listener.soundscape.scene import PlacedSound, Scene
from listener.soundscape.synthesis import SAMPLE_RATE_HZ
from trainer.starter.strips import (
    ALARM_LABELS,
    COLUMNS,
    ESC10_LABELS,
    FEATURES,
    Recording,
    alarm_scenes,
    background_scenes,
)

_BATCH = 64


# Audio in, table of scores out, by whatever runs the network.


ScoreTable = NDArray[np.float32]  # (T, K): the scores of one stretch of audio


def score(samples: Samples, engine: Engine) -> ScoreTable:
    """The scores of every patch, float32 (T, K)."""
    patches = log_mel_patches(samples, FEATURES)
    starts = range(0, len(patches), _BATCH)
    return np.concatenate([engine.infer(patches[start : start + _BATCH])[0] for start in starts])


Policies = Mapping[str, LabelPolicy]


@dataclass(frozen=True, slots=True)
class Counts:
    """Sounds to be found, the labels of those that were not, and of events that nothing explains."""

    expected: int
    missed: tuple[str, ...]
    false_alarms: tuple[str, ...]
    seconds: float

    @property
    def found(self) -> int:
        """Sounds with an event of their label while they sound."""
        return self.expected - len(self.missed)


@dataclass(frozen=True, slots=True)
class Figures:
    """What the card says.

    `esc10_accuracy` in [0, 1]: the highest of the ten mean scores is the clip's own. `alarms` are those
    of generated scenes at 10 dB, `background` generated noise, `recordings` the held-out ones, in which
    every alarm is false.
    """

    esc10_accuracy: float
    recording_count: int
    alarms: Counts
    background: Counts
    recordings: Counts

    def as_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def measure(
    engine: Engine, policies: Policies, held_out: Sequence[Recording], minutes: int, seed: int
) -> Figures:
    """All figures, over so many minutes of scenes and of background."""
    recordings = (Scene(recording.samples, ()) for recording in held_out)
    return Figures(
        esc10_accuracy=esc10_accuracy(held_out, engine),
        recording_count=len(held_out),
        alarms=count(alarm_scenes(minutes, seed), engine, policies),
        background=count(background_scenes(minutes, seed), engine, policies),
        recordings=count(recordings, engine, alarms_only(policies)),
    )


def esc10_accuracy(recordings: Sequence[Recording], engine: Engine) -> float:
    """The share of recordings whose own label has the highest score of the ten."""
    right = [guess(recording.samples, engine) == recording.label for recording in recordings]
    return float(np.mean(right))


def guess(samples: Samples, engine: Engine) -> str:
    """Which of ESC-10's labels has the highest score, averaged over the clip's patches."""
    columns = [COLUMNS[label.slug] for label in ESC10_LABELS]
    return ESC10_LABELS[int(score(samples, engine)[:, columns].mean(axis=0).argmax())].slug


def count(scenes: Iterable[Scene], engine: Engine, policies: Policies) -> Counts:
    """Which sounds of the scenes have an event of their label, and which events nothing explains."""
    missed: list[str] = []
    false_alarms: list[str] = []
    expected, seconds = 0, 0.0
    for scene in scenes:
        events = find_events(scene.samples, engine, policies)
        missed += [sound.label for sound in scene.truth if not _heard(sound, events)]
        false_alarms += [event.label for event in events if not _explained(event, scene.truth)]
        expected += len(scene.truth)
        seconds += len(scene.samples) / SAMPLE_RATE_HZ
    return Counts(expected, tuple(missed), tuple(false_alarms), round(seconds, 3))


def alarms_only(policies: Policies) -> dict[str, LabelPolicy]:
    """The policies of the alarms."""
    return {label.slug: policies[label.slug] for label in ALARM_LABELS}


def find_events(samples: Samples, engine: Engine, policies: Policies) -> list[SoundEvent]:
    """The events that the daemon's own detector makes of it, of the labels that have a policy."""
    table = score(samples, engine)[:, [COLUMNS[label] for label in policies]]
    boundaries = slot_boundaries(len(table), len(samples) / SAMPLE_RATE_HZ, FEATURES)
    return detect_events(table, boundaries, policies, FEATURES.patch_hop_seconds)


def _heard(sound: PlacedSound, events: Iterable[SoundEvent]) -> bool:
    return any(_meet(event, sound) for event in events)


def _explained(event: SoundEvent, truth: Iterable[PlacedSound]) -> bool:
    return any(_meet(event, sound) for sound in truth)


def _meet(event: SoundEvent, sound: PlacedSound) -> bool:
    offset = event.onset if event.offset is None else event.offset
    return event.label == sound.label and event.onset < sound.offset and offset > sound.onset
