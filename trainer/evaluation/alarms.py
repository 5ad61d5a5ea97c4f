"""Events where there should be none: in noise, in silence, in ambient audio."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from listener.detection.audio import SILENCE_DBFS, Samples
from listener.detection.policy import LabelPolicy
from listener.soundscape import brown_noise, pink_noise, white_noise
from trainer.augment.waveform import change_gain
from trainer.evaluation.poisson import AlarmRate
from trainer.evaluation.scoring import Scorer, find_spans, score_file
from trainer.evaluation.spans import ScoredFile

NOISE_LEVELS_DBFS = (-60.0, -40.0, -20.0)

_NOISES = {"white noise": white_noise, "pink noise": pink_noise, "brown noise": brown_noise}
_NOISE_DBFS = -12.04  # an RMS of 0.25
_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class AmbientAlarms:
    """Events in audio that has none of the labels: of all labels together and of each."""

    total: AlarmRate
    labels: Mapping[str, AlarmRate]


@dataclass(frozen=True, slots=True)
class NoiseAlarms:
    """Events in one generated sound, `events` by label; there should be none."""

    sound: str
    level_dbfs: float
    seconds: float
    events: Mapping[str, int]


def ambient_alarms(
    files: Sequence[ScoredFile], policies: Mapping[str, LabelPolicy], patch_hop_seconds: float
) -> AmbientAlarms:
    """False alarms in ambient audio with the daemon's own detector.

    Raises:
        ValueError: no audio.
    """
    hours = sum(file.seconds for file in files) / _SECONDS_PER_HOUR
    counts = _count(files, policies, patch_hop_seconds)
    labels = {label: AlarmRate(counts[label], hours) for label in policies}
    return AmbientAlarms(AlarmRate(counts.total(), hours), labels)


def noise_alarms(
    scorer: Scorer,
    policies: Mapping[str, LabelPolicy],
    *,
    seconds: float = 60.0,
    seed: int = 0,
    ignored: Collection[str] = (),
) -> tuple[NoiseAlarms, ...]:
    """Silence, and white, pink and brown noise at three levels.

    `ignored` are labels that are right here, of a bundle that knows noise as a sound.
    """
    found = []
    for name, level_dbfs, samples in _quiet_sounds(seconds, seed):
        file = score_file(scorer, samples, name)
        counts = _count([file], policies, scorer.features.patch_hop_seconds)
        events = {label: count for label, count in counts.items() if label not in ignored}
        found.append(NoiseAlarms(name, level_dbfs, seconds, events))
    return tuple(found)


def _quiet_sounds(seconds: float, seed: int) -> Iterable[tuple[str, float, Samples]]:
    rng = np.random.default_rng(seed)
    yield "silence", SILENCE_DBFS, np.zeros_like(white_noise(seconds, rng))
    for name, make in _NOISES.items():
        noise = make(seconds, rng)
        for level_dbfs in NOISE_LEVELS_DBFS:
            yield name, level_dbfs, change_gain(noise, level_dbfs - _NOISE_DBFS)


def _count(
    files: Iterable[ScoredFile], policies: Mapping[str, LabelPolicy], patch_hop_seconds: float
) -> Counter[str]:
    return Counter(
        span.label for file in files for span in find_spans(file, policies, patch_hop_seconds)
    )
