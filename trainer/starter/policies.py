"""A LabelPolicy for each of the starter's labels: it bridges pauses and stays quiet in other sound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection import hysteresis
from listener.detection.policy import LabelPolicy
from listener.detection.scores import ScoreSmoother, slot_boundaries
from listener.engines.engine import Engine
from listener.soundscape.scene import PlacedSound
from trainer.starter import strips
from trainer.starter.evaluate import ScoreTable, score
from trainer.starter.real_audio import RealAudio
from trainer.starter.strips import COLUMNS, LABELS
from trainer.starter.train import Teacher

_GAP_SECONDS, _SMOOTHING_SECONDS = 1.0, 1.44
_OFF_SHARE = 0.5  # of the on threshold


@dataclass(frozen=True, slots=True)
class Pattern:
    """How a sound goes on in time, seconds: its pauses, and how long all of it lasts at least."""

    max_gap: float = _GAP_SECONDS
    min_duration: float = 0.0
    smoothing: float = _SMOOTHING_SECONDS  # three patches, so that one high score does not count

    def policy(self, threshold: float) -> LabelPolicy:
        """With that threshold."""
        return LabelPolicy(
            on_threshold=threshold,
            off_threshold=round(threshold * _OFF_SHARE, 3),
            smoothing_seconds=self.smoothing,
            max_gap_seconds=self.max_gap,
            min_duration_seconds=self.min_duration,
        )


# The longest pause of each pattern with its tolerance, and what the smoother may cut off the ends; how long
# it lasts, and its median, by what kept most of the recordings at two false events in 17.5 h of speech and
# music. A smoke alarm sounds until somebody comes: two pulses are no alarm yet, and one T4 burst is none.
PATTERNS = {
    "smoke_alarm": Pattern(max_gap=2.5, min_duration=2.4),
    "co_alarm": Pattern(max_gap=6.5, min_duration=5.0, smoothing=0.48),  # a burst of 0.7 s is short
    "siren": Pattern(min_duration=3.4),
    "reversing_beeper": Pattern(max_gap=1.5, min_duration=2.9),
    "doorbell": Pattern(max_gap=4.0, min_duration=2.4),
    "appliance_beep": Pattern(max_gap=2.5, min_duration=2.4),
    "telephone": Pattern(max_gap=5.5, min_duration=2.4),
    "dog": Pattern(max_gap=2.0, smoothing=0.48),
    "clock_tick": Pattern(max_gap=2.0, min_duration=3.4),
    "rain": Pattern(min_duration=2.9, smoothing=0.48),
    "sea_waves": Pattern(min_duration=3.4, smoothing=2.4),
    "crying_baby": Pattern(min_duration=1.9),
    "crackling_fire": Pattern(smoothing=2.4),
    "helicopter": Pattern(smoothing=2.4),
    "rooster": Pattern(smoothing=2.4),
}
_THRESHOLDS = tuple(round(0.1 + 0.05 * step, 2) for step in range(18))  # 0.1 to 0.95
_MIN_THRESHOLD, _MAX_THRESHOLD = 0.3, 0.97
_MARGIN = 0.25  # of the distance between the highest false event and 1
_FALSE_EVENTS = 2  # of a label that count for nothing: one odd sound must not cost all others
_WAKES_THE_HOUSE = frozenset({"smoke_alarm", "co_alarm"})  # of these every one counts
_FAINTEST_QUANTILE = 0.01  # of the alarms to find: fainter ones do not count
_WEAKEST_QUANTILE = 0.1  # of a label's recordings: they are the ones it was trained on
REAL_CUT_SECONDS = 60.0  # of one recording, so that what lasts is heard to last
_CALIBRATION_SEED = 10_000  # after the seeds that figures are measured with
_ESC10_COLUMNS = [COLUMNS[label.slug] for label in strips.ESC10_LABELS]


def pattern_of(slug: str) -> Pattern:
    """The label's own, or the usual one."""
    return PATTERNS.get(slug, Pattern())


def calibrate(
    engine: Engine,
    recordings: Sequence[strips.Recording],
    minutes: int,
    seed: int,
    real: Iterable[ScoreTable] = (),
) -> dict[str, LabelPolicy]:
    """Policies that no background reaches and, where the network separates them, every sound does.

    Background is, for every label, generated noise, the alarms of other labels and the scores of `real`
    audio; for the alarms also the recordings. A false event there is one of the daemon's own detector.
    """
    seed += _CALIBRATION_SEED
    backgrounds = [score(each.samples, engine) for each in strips.background_scenes(minutes, seed)]
    backgrounds += real
    weakest: dict[str, list[float]] = {label.slug: [] for label in LABELS}
    for recording in recordings:
        table = score(recording.samples, engine)
        weakest[recording.label].append(_peak(table, recording.label))
        backgrounds.append(_without(table, [*_ESC10_COLUMNS, COLUMNS[recording.label]]))
    faintest = _quantiles(weakest, _WEAKEST_QUANTILE)
    peaks: dict[str, list[float]] = {label.slug: [] for label in strips.ALARM_LABELS}
    for scene in strips.alarm_scenes(minutes, seed):
        table = score(scene.samples, engine)
        backgrounds.append(_without(table, [COLUMNS[sound.label] for sound in scene.truth]))
        for sound in scene.truth:
            peaks[sound.label].append(peak_within(table, sound))
    faintest |= _quantiles(peaks, _FAINTEST_QUANTILE)
    return make_policies(highest_false_threshold(backgrounds), faintest)


def score_real_audio(
    real: RealAudio, minutes: int, engine: Engine, teacher: Teacher, seed: int
) -> Iterator[ScoreTable]:
    """Cuts of real audio; where the teacher hears what a label stands for, its score is 0."""
    random = np.random.default_rng(seed + _CALIBRATION_SEED)
    for _ in range(round(minutes * 60.0 / REAL_CUT_SECONDS)):
        samples = real.draw(random)
        table = score(samples, engine)
        heard = teacher.hears(score(samples, teacher.engine))
        yield np.where(heard, 0.0, table).astype(np.float32)


def highest_false_threshold(backgrounds: Sequence[ScoreTable]) -> NDArray[np.float64]:
    """For each label the highest threshold at which backgrounds make too many events, (K,); or 0."""
    highest = np.zeros(len(LABELS))
    hop_seconds, patch_seconds = strips.FEATURES.patch_hop_seconds, strips.FEATURES.patch_seconds
    boundaries = [
        slot_boundaries(len(each), patch_seconds + (len(each) - 1) * hop_seconds, strips.FEATURES)
        for each in backgrounds
    ]
    for threshold in _THRESHOLDS:
        policies = {label.slug: pattern_of(label.slug).policy(threshold) for label in LABELS}
        found = Counter(
            event.label
            for table, slots in zip(backgrounds, boundaries, strict=True)
            for event in hysteresis.detect_events(table, slots, policies, hop_seconds)
        )
        for slug, count in found.items():
            if count > (0 if slug in _WAKES_THE_HOUSE else _FALSE_EVENTS):
                highest[COLUMNS[slug]] = threshold
    return highest


def make_policies(
    highest: NDArray[np.float64], faintest: Mapping[str, float]
) -> dict[str, LabelPolicy]:
    """From each label's highest threshold of a false event, (K,), and the faintest sound of some.

    The threshold is midway between the two if background stays below the sound, else a quarter of the
    way from the false event to 1: a label that cannot be held by that is left out of the bundle.
    """
    policies = {}
    for label, level in zip(LABELS, map(float, highest), strict=True):
        alarm = faintest.get(label.slug, 0.0)
        threshold = (level + alarm) / 2 if alarm > level else level + _MARGIN * (1.0 - level)
        threshold = round(min(max(threshold, _MIN_THRESHOLD), _MAX_THRESHOLD), 2)
        policies[label.slug] = pattern_of(label.slug).policy(threshold)
    return policies


def peak_within(table: ScoreTable, sound: PlacedSound) -> float:
    """The highest smoothed score of a sound's label while it sounds."""
    first = int(sound.onset / strips.FEATURES.patch_hop_seconds)
    last = int(sound.offset / strips.FEATURES.patch_hop_seconds) + 1
    return _peak(table, sound.label, slice(first, last))


def _peak(table: ScoreTable, slug: str, rows: slice = slice(None)) -> float:
    column = table[:, [COLUMNS[slug]]]
    length = pattern_of(slug).policy(0.5).smoothing_patches(strips.FEATURES.patch_hop_seconds)
    smoother = ScoreSmoother(length, 1)
    smoothed = [row for scores in column if (row := smoother.push(scores)) is not None]
    return float(np.array(smoothed + smoother.finish())[rows].max(initial=0.0))


def _quantiles(peaks: Mapping[str, Sequence[float]], share: float) -> dict[str, float]:
    return {label: float(np.quantile(found, share)) for label, found in peaks.items() if found}


def _without(table: ScoreTable, columns: list[int]) -> ScoreTable:
    """The table without the labels that are, or may be, in the audio: it is no background for them."""
    background = table.copy()
    background[:, columns] = 0.0
    return background
