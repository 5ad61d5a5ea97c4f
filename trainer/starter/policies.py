"""A LabelPolicy for each of the starter's labels: it bridges pauses and stays quiet in noise."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from listener.detection.policy import LabelPolicy
from listener.detection.scores import ScoreSmoother
from listener.engines.engine import Engine
from listener.soundscape.scene import PlacedSound
from trainer.starter import strips
from trainer.starter.evaluate import ScoreTable, score
from trainer.starter.strips import COLUMNS, LABELS

# three patches, so that a single high score does not count; but few hold enough of a T4 burst of 0.7 s
_SMOOTHING_SECONDS = {label.slug: 0.48 if label.slug == "co_alarm" else 1.44 for label in LABELS}
_GAP_SECONDS = 1.0
# the longest pause of each pattern with its tolerance, and what the smoother may cut off the ends
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
_MIN_THRESHOLD, _MAX_THRESHOLD = 0.5, 0.95
_MARGIN = 0.25  # of the distance between the highest score in background and 1
_FAINTEST_QUANTILE = 0.01  # of the alarms to find: fainter ones do not count
# One recording in 200 may sound like an alarm: else a rooster that hardly differs from a CO alarm would
# cause CO alarms to be missed.
_RECORDINGS_QUANTILE = 0.995
_OFF_SHARE = 0.5  # of the on threshold
_CALIBRATION_SEED = 10_000  # after the seeds that figures are measured with
_ESC10_COLUMNS = [COLUMNS[label.slug] for label in strips.ESC10_LABELS]


def calibrate(
    engine: Engine, recordings: Sequence[strips.Recording], minutes: int, seed: int
) -> dict[str, LabelPolicy]:
    """Policies that no background reaches and, where the network separates them, every alarm does.

    Background is, for every label, generated noise and the alarms of other labels; for the alarms also
    nearly all recordings. Scores are smoothed as the detector smooths them.
    """
    seed += _CALIBRATION_SEED
    generated = [
        highest_smoothed(score(scene.samples, engine))
        for scene in strips.background_scenes(minutes, seed)
    ]
    recorded = [
        highest_smoothed(_without(score(recording.samples, engine), _ESC10_COLUMNS))
        for recording in recordings
    ]
    highest = np.max([*generated, np.quantile(recorded, _RECORDINGS_QUANTILE, axis=0)], axis=0)
    peaks: dict[str, list[float]] = {label.slug: [] for label in strips.ALARM_LABELS}
    for scene in strips.alarm_scenes(minutes, seed):
        table = score(scene.samples, engine)
        background = _without(table, [COLUMNS[sound.label] for sound in scene.truth])
        highest = np.maximum(highest, highest_smoothed(background))
        for sound in scene.truth:
            peaks[sound.label].append(peak_within(table, sound))
    faintest = {
        label: float(np.quantile(found, _FAINTEST_QUANTILE))
        for label, found in peaks.items()
        if found
    }
    return make_policies(highest, faintest)


def make_policies(
    highest: NDArray[np.float32], faintest: Mapping[str, float]
) -> dict[str, LabelPolicy]:
    """From each label's highest smoothed score in background, (K,), and the faintest alarm of some.

    The threshold is midway between the two if background stays below the alarm, else a quarter of the
    way from the highest score in background to 1: a missed alarm is better than a false one each night.
    """
    policies = {}
    for label, level in zip(LABELS, map(float, highest), strict=True):
        alarm = faintest.get(label.slug, 0.0)
        if alarm > level:
            threshold = round((level + alarm) / 2, 2)
        else:
            cautious = level + _MARGIN * (1.0 - level)
            threshold = round(min(max(cautious, _MIN_THRESHOLD), _MAX_THRESHOLD), 2)
        policies[label.slug] = LabelPolicy(
            on_threshold=threshold,
            off_threshold=round(threshold * _OFF_SHARE, 2),
            smoothing_seconds=_SMOOTHING_SECONDS[label.slug],
            max_gap_seconds=_PATTERN_GAPS_SECONDS.get(label.slug, _GAP_SECONDS),
        )
    return policies


def peak_within(table: ScoreTable, sound: PlacedSound) -> float:
    """The highest smoothed score of a sound's label while it sounds."""
    first = int(sound.onset / strips.FEATURES.patch_hop_seconds)
    last = int(sound.offset / strips.FEATURES.patch_hop_seconds) + 1
    column = table[:, [COLUMNS[sound.label]]]
    return float(_smooth(column, _SMOOTHING_SECONDS[sound.label])[first:last].max(initial=0.0))


def highest_smoothed(table: ScoreTable) -> NDArray[np.float32]:
    """The highest smoothed score of each label, float32 (K,)."""
    seconds = [_SMOOTHING_SECONDS[label.slug] for label in LABELS]
    smoothed = {each: _smooth(table, each).max(axis=0) for each in set(seconds)}
    return np.array([smoothed[each][column] for column, each in enumerate(seconds)], np.float32)


def _smooth(table: ScoreTable, seconds: float) -> ScoreTable:
    policy = LabelPolicy(smoothing_seconds=seconds)
    length = policy.smoothing_patches(strips.FEATURES.patch_hop_seconds)
    smoother = ScoreSmoother(length, table.shape[1])
    rows = [row for scores in table if (row := smoother.push(scores)) is not None]
    return np.array(rows + smoother.finish())


def _without(table: ScoreTable, columns: list[int]) -> ScoreTable:
    """The table without the labels that are, or may be, in the audio: it is no background for them."""
    background = table.copy()
    background[:, columns] = 0.0
    return background
