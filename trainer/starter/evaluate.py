"""How well a starter does on audio that it was not trained on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from listener.detection import audio, features, hysteresis, policy
from listener.detection.event import SoundEvent
from listener.detection.scores import slot_boundaries
from listener.engines.engine import Engine
from listener.soundscape.scene import PlacedSound, Scene
from listener.soundscape.synthesis import SAMPLE_RATE_HZ
from trainer.starter import strips

_BATCH_PATCHES = 64

ScoreTable = NDArray[np.float32]  # (T, K): the scores of all patches of some audio
Policies = Mapping[str, policy.LabelPolicy]


@dataclass(frozen=True, slots=True)
class Counts:
    """Sounds to find, the labels of those that were missed, and of events without a sound."""

    expected: int
    missed: tuple[str, ...]
    false_alarms: tuple[str, ...]
    seconds: float

    @property
    def found(self) -> int:
        """How many sounds have an event of their label while they sound."""
        return self.expected - len(self.missed)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of the card.

    `alarms` are of generated scenes at 10 dB, `background` is generated noise, `recordings` are the
    held-out ones: real sounds of some labels, in which any other event is false.
    """

    recording_count: int
    alarms: Counts
    background: Counts
    recordings: Counts

    def as_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        return asdict(self)


def measure(
    engine: Engine,
    policies: Policies,
    held_out: Sequence[strips.Recording],
    minutes: int,
    seed: int,
    columns: Mapping[str, int] = strips.COLUMNS,
) -> Figures:
    """All figures of the labels with a policy, over so many minutes of alarm scenes and of background."""
    seconds = strips.STRIP_SECONDS  # a recording is one scene, and its sound all of it
    recordings = (
        Scene(each.samples, (PlacedSound(each.label, 0.0, seconds),)) for each in held_out
    )
    return Figures(
        recording_count=len(held_out),
        alarms=count(strips.alarm_scenes(minutes, seed), engine, policies, columns),
        background=count(strips.background_scenes(minutes, seed), engine, policies, columns),
        recordings=count(recordings, engine, policies, columns),
    )


def count(
    scenes: Iterable[Scene],
    engine: Engine,
    policies: Policies,
    columns: Mapping[str, int] = strips.COLUMNS,
) -> Counts:
    """Which sounds of the scenes have an event of their label, and which events have no sound.

    Sounds of labels without a policy are neither. `columns` are the labels' in the engine's scores.
    """
    missed: list[str] = []
    false_alarms: list[str] = []
    expected, seconds = 0, 0.0
    for scene in scenes:
        events = find_events(scene.samples, engine, policies, columns)
        wanted = [sound for sound in scene.truth if sound.label in policies]
        missed += [
            sound.label for sound in wanted if not any(_matches(event, sound) for event in events)
        ]
        false_alarms += [
            event.label
            for event in events
            if not any(_matches(event, sound) for sound in scene.truth)
        ]
        expected += len(wanted)
        seconds += len(scene.samples) / SAMPLE_RATE_HZ
    return Counts(expected, tuple(missed), tuple(false_alarms), round(seconds, 3))


def find_events(
    samples: audio.Samples, engine: Engine, policies: Policies, columns: Mapping[str, int]
) -> list[SoundEvent]:
    """The events that the daemon's own detector finds, for the labels that have a policy."""
    table = score(samples, engine)[:, [columns[label] for label in policies]]
    boundaries = slot_boundaries(len(table), len(samples) / SAMPLE_RATE_HZ, strips.FEATURES)
    return hysteresis.detect_events(table, boundaries, policies, strips.FEATURES.patch_hop_seconds)


def score(samples: audio.Samples, engine: Engine) -> ScoreTable:
    """The scores of every patch, float32 (T, K)."""
    patches = features.log_mel_patches(samples, strips.FEATURES)
    starts = range(0, len(patches), _BATCH_PATCHES)
    scores = [engine.infer(patches[start : start + _BATCH_PATCHES])[0] for start in starts]
    return np.concatenate(scores)


def _matches(event: SoundEvent, sound: PlacedSound) -> bool:
    """Same label, at the same time."""
    offset = event.onset if event.offset is None else event.offset
    return event.label == sound.label and event.onset < sound.offset and offset > sound.onset
