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

    `esc10_accuracy`, in [0, 1], is the share of clips whose own label has the highest mean score of the
    ten. `alarms` are of generated scenes at 10 dB, `background` is generated noise, `recordings` are the
    held-out ones, in which every alarm is false.
    """

    esc10_accuracy: float
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
) -> Figures:
    """All figures, over so many minutes of alarm scenes and of background."""
    recordings = (Scene(recording.samples, ()) for recording in held_out)
    return Figures(
        esc10_accuracy=esc10_accuracy(held_out, engine),
        recording_count=len(held_out),
        alarms=count(strips.alarm_scenes(minutes, seed), engine, policies),
        background=count(strips.background_scenes(minutes, seed), engine, policies),
        recordings=count(
            recordings, engine, {label.slug: policies[label.slug] for label in strips.ALARM_LABELS}
        ),
    )


def esc10_accuracy(recordings: Sequence[strips.Recording], engine: Engine) -> float:
    """The share of recordings whose own label has the highest score of the ten."""
    right = [classify(recording.samples, engine) == recording.label for recording in recordings]
    return float(np.mean(right))


def classify(samples: audio.Samples, engine: Engine) -> str:
    """The label of ESC-10 with the highest score, averaged over the clip's patches."""
    columns = [strips.COLUMNS[label.slug] for label in strips.ESC10_LABELS]
    best = int(score(samples, engine)[:, columns].mean(axis=0).argmax())
    return strips.ESC10_LABELS[best].slug


def count(scenes: Iterable[Scene], engine: Engine, policies: Policies) -> Counts:
    """Which sounds of the scenes have an event of their label, and which events have no sound."""
    missed: list[str] = []
    false_alarms: list[str] = []
    expected, seconds = 0, 0.0
    for scene in scenes:
        events = find_events(scene.samples, engine, policies)
        missed += [
            sound.label
            for sound in scene.truth
            if not any(_matches(event, sound) for event in events)
        ]
        false_alarms += [
            event.label
            for event in events
            if not any(_matches(event, sound) for sound in scene.truth)
        ]
        expected += len(scene.truth)
        seconds += len(scene.samples) / SAMPLE_RATE_HZ
    return Counts(expected, tuple(missed), tuple(false_alarms), round(seconds, 3))


def find_events(samples: audio.Samples, engine: Engine, policies: Policies) -> list[SoundEvent]:
    """The events that the daemon's own detector finds, for the labels that have a policy."""
    table = score(samples, engine)[:, [strips.COLUMNS[label] for label in policies]]
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
