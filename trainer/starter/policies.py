"""A LabelPolicy for each of the starter's labels: a pattern's pauses bridged, quiet in background."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from listener.detection.policy import LabelPolicy
from listener.detection.scores import ScoreSmoother
from listener.engines.engine import Engine
from listener.soundscape.scene import PlacedSound
from trainer.starter.evaluate import ScoreTable, score
from trainer.starter.strips import (
    ALARM_LABELS,
    COLUMNS,
    ESC10_LABELS,
    FEATURES,
    LABELS,
    Recording,
    alarm_scenes,
    background_scenes,
)

# three patches, so that a single high one is a blip; but few hold enough of the 0.7 s of a T4 burst
_SMOOTHING_SECONDS = {label.slug: 0.48 if label.slug == "co_alarm" else 1.44 for label in LABELS}
_GAP_SECONDS = 1.0
# the longest pause of each pattern with its tolerance, and what the smoother may take off the ends
_PATTERN_GAPS_SECONDS = {
    "smoke_alarm": 2.5,
    "co_alarm": 6.5,
    "reversing_beeper": 1.5,
    "doorbell": 4.0,
    "appliance_beep": 2.5,
    "telephone": 5.5,
    "dog": 2.0,
    "clock_tick": 2.0,
}
_LEAST_THRESHOLD, _MOST_THRESHOLD = 0.5, 0.95
_MARGIN = 0.25  # of what is left between the highest score in background and 1
_FAINTEST_SHARE = 0.01  # of the alarms to be found: what is fainter does not count
# One recording in 200 may sound like an alarm: a rooster's that hardly differs from a CO alarm would else
# have it that CO alarms are missed.
_RECORDINGS_QUANTILE = 0.995
_OFF_SHARE = 0.5  # of the threshold that opens
_CALIBRATION_SEED = 10_000  # after the seeds that figures are measured with
_ESC10_COLUMNS = [COLUMNS[label.slug] for label in ESC10_LABELS]


def calibrate(
    engine: Engine, learnt: Sequence[Recording], minutes: int, seed: int
) -> dict[str, LabelPolicy]:
    """Policies that no background reaches and, where the network tells them apart, every alarm does.

    Background is for every label the generated one and the alarms of other labels, for the alarms also
    nearly all recordings. Scores are smoothed as the detector smooths them.
    """
    seed += _CALIBRATION_SEED
    generated = [highest_smoothed(table) for table in _background_tables(engine, minutes, seed)]
    recorded = [highest_smoothed(table) for table in _recording_tables(engine, learnt)]
    highest = np.max([*generated, np.quantile(recorded, _RECORDINGS_QUANTILE, axis=0)], axis=0)
    peaks: dict[str, list[float]] = {label.slug: [] for label in ALARM_LABELS}
    for scene in alarm_scenes(minutes, seed):
        table = score(scene.samples, engine)
        background = without(table, [COLUMNS[sound.label] for sound in scene.truth])
        highest = np.maximum(highest, highest_smoothed(background))
        for sound in scene.truth:
            peaks[sound.label].append(peak_within(table, sound))
    return make_policies(highest, {label: _faintest(found) for label, found in peaks.items()})


def make_policies(
    highest: NDArray[np.float32], faintest: Mapping[str, float]
) -> dict[str, LabelPolicy]:
    """From each label's highest smoothed score in background, (K,), and the faintest alarm's of some.

    The threshold is midway between the two if background stays below, else a quarter of the way from
    the highest score in background to 1: rather an alarm missed than one a night.
    """
    return {
        label.slug: _policy(label.slug, _threshold(float(level), faintest.get(label.slug, 0.0)))
        for label, level in zip(LABELS, highest, strict=True)
    }


def _threshold(highest: float, faintest: float) -> float:
    if faintest > highest:
        return round((highest + faintest) / 2, 2)
    wary = highest + _MARGIN * (1.0 - highest)
    return round(min(max(wary, _LEAST_THRESHOLD), _MOST_THRESHOLD), 2)


def _faintest(peaks: Sequence[float]) -> float:
    return float(np.quantile(peaks, _FAINTEST_SHARE)) if peaks else 0.0


def peak_within(table: ScoreTable, sound: PlacedSound) -> float:
    """The highest smoothed score of a sound's label while it sounds."""
    first = int(sound.onset / FEATURES.patch_hop_seconds)
    last = int(sound.offset / FEATURES.patch_hop_seconds) + 1
    column = table[:, [COLUMNS[sound.label]]]
    return float(_smooth(column, _SMOOTHING_SECONDS[sound.label])[first:last].max(initial=0.0))


def highest_smoothed(table: ScoreTable) -> NDArray[np.float32]:
    """The highest smoothed score of each label, float32 (K,)."""
    seconds = [_SMOOTHING_SECONDS[label.slug] for label in LABELS]
    smoothed = {each: _smooth(table, each).max(axis=0) for each in set(seconds)}
    return np.array([smoothed[each][column] for column, each in enumerate(seconds)], np.float32)


def _smooth(table: ScoreTable, seconds: float) -> ScoreTable:
    length = LabelPolicy(smoothing_seconds=seconds).smoothing_patches(FEATURES.patch_hop_seconds)
    smoother = ScoreSmoother(length, table.shape[1])
    rows = [row for scores in table if (row := smoother.push(scores)) is not None]
    return np.array(rows + smoother.finish())


def _background_tables(engine: Engine, minutes: int, seed: int) -> Iterator[ScoreTable]:
    for scene in background_scenes(minutes, seed):
        yield score(scene.samples, engine)


def _recording_tables(engine: Engine, learnt: Sequence[Recording]) -> Iterator[ScoreTable]:
    for recording in learnt:
        yield without(score(recording.samples, engine), _ESC10_COLUMNS)


def without(table: ScoreTable, columns: list[int]) -> ScoreTable:
    """The table with these labels silent: what is in the audio, or may be, is no background for them."""
    rest = table.copy()
    rest[:, columns] = 0.0
    return rest


def _policy(label: str, threshold: float) -> LabelPolicy:
    return LabelPolicy(
        on_threshold=threshold,
        off_threshold=round(threshold * _OFF_SHARE, 2),
        smoothing_seconds=_SMOOTHING_SECONDS[label],
        max_gap_seconds=_PATTERN_GAPS_SECONDS.get(label, _GAP_SECONDS),
    )
