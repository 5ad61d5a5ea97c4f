"""All forms on the same patches of the same clips."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import GOLDEN_TOLERANCE, MAX_GOLDEN_TOLERANCE, Infer
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from trainer.config import Form
from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.data.targets import clip_targets
from trainer.errors import DataError
from trainer.evaluation.clip_metrics import ClipMetrics, Scores, clip_metrics
from trainer.evaluation.selection import Progress, read_one_by_one
from trainer.formatting import percent

_ROUNDING = 1e-5  # of the log-mel: how far live and offline, TensorFlow and numpy may be apart
_TRIALS = 8
_MARGIN = 2.0  # another CPU may round worse than the worst of the trials
_ONE_IN = 10  # clips is not judged by
_MOST_CLIPS = 40
_ROUNDING_CLIPS = 1e-4  # of a logarithm
_MOST_PATCHES = 200  # each takes the converter 5 ms for YAMNet
MOST_LOST_POINTS = 0.5
_DIGITS = 6  # of points: 2 of 400 clips are 0.5 points in decimals, and a little more in binary
BATCH_PATCHES = 16
_ROUNDS = 40


def judge_forms(
    forms: Mapping[Form, Infer],
    table: ClipTable,
    labels: Sequence[str],
    features: FeatureParams,
    progress: Progress | None = None,
) -> dict[Form, ClipMetrics]:
    """Clip metrics of each form; `labels` are the columns of the scores.

    Raises:
        DataError: no clip can be read.
    """
    columns = [list(labels).index(name) for name in table.classes]
    clips: list[Clip] = []
    scores: dict[Form, list[Scores]] = {form: [] for form in forms}
    for clip, samples in read_one_by_one(table, features.sample_rate_hz, progress):
        if isinstance(samples, Quarantined):
            continue
        clips.append(clip)
        patches = log_mel_patches(samples, features)
        for form, infer in forms.items():
            scores[form].append(infer(patches)[0].mean(axis=0)[columns])
    if not clips:
        raise DataError(f"expected clips that can be read, got none of {len(table.clips)}")
    return {form: _metrics(clips, np.stack(rows), table.classes) for form, rows in scores.items()}


def _metrics(clips: Sequence[Clip], scores: Scores, classes: tuple[str, ...]) -> ClipMetrics:
    targets = [clip_targets(clip, classes) for clip in clips]
    return clip_metrics(
        np.stack([each.values for each in targets]).reshape(scores.shape) > 0,
        scores,
        classes,
        known=np.stack([each.known for each in targets]).reshape(scores.shape) > 0,
    )


def golden_tolerance(infer: Infer, patches: NDArray[np.float32]) -> float:
    """How far golden scores may be off where a CPU rounds otherwise; at least GOLDEN_TOLERANCE.

    `patches` are the golden waveform's.
    """
    exact, _ = infer(patches)
    random = np.random.default_rng(0)
    noises = (random.normal(0.0, _ROUNDING, patches.shape) for _ in range(_TRIALS))
    moved = (infer((patches + noise).astype(np.float32))[0] for noise in noises)
    return max(GOLDEN_TOLERANCE, _MARGIN * max(float(np.abs(s - exact).max()) for s in moved))


# Which clips calibrate the integer form, and which judge all forms.


def split_clips(table: ClipTable) -> tuple[ClipTable, ClipTable]:
    """A few clips from all over the table to calibrate on, and the others to judge by.

    Raises:
        DataError: fewer than two clips.
    """
    count = len(table.clips)
    if count < 2:  # noqa: PLR2004 - one for each
        raise DataError(f"expected at least 2 clips to judge forms by, got {count}")
    wanted = min(max(count // _ONE_IN, 1), _MOST_CLIPS)
    chosen = set(np.linspace(0, count - 1, wanted, dtype=np.intp).tolist())
    first = tuple(clip for index, clip in enumerate(table.clips) if index in chosen)
    rest = tuple(clip for index, clip in enumerate(table.clips) if index not in chosen)
    return replace(table, clips=first), replace(table, clips=rest)


def representative_patches(
    table: ClipTable, features: FeatureParams, progress: Progress | None = None
) -> NDArray[np.float32]:
    """At most 200 patches from all over the clips, float32 (n, 96, 64).

    Patches with digital silence in them are left out, if there are others: it drives YAMNet's logits to
    -650, and 8 bits for a range like that tell nothing apart where sounds are.

    Raises:
        DataError: no clip can be read.
    """
    patches = list(_all_patches(table, features, progress))
    if not patches:
        raise DataError(f"expected clips that can be read, got none of {len(table.clips)}")
    whole = np.concatenate(patches)
    sounding = whole[~_has_silence(whole, features)]
    whole = sounding if len(sounding) else whole
    return whole[:: -(-len(whole) // _MOST_PATCHES)]


def _has_silence(patches: NDArray[np.float32], features: FeatureParams) -> NDArray[np.bool_]:
    """Which of the patches have an STFT frame of zeros, (n,)."""
    silent = (patches < np.log(features.log_offset) + _ROUNDING_CLIPS).all(axis=2)
    return np.asarray(silent.any(axis=1), np.bool_)


def _all_patches(
    table: ClipTable, features: FeatureParams, progress: Progress | None
) -> Iterator[NDArray[np.float32]]:
    for _, samples in read_one_by_one(table, features.sample_rate_hz, progress):
        if not isinstance(samples, Quarantined):
            yield log_mel_patches(samples, features)


# What is known of a form of a model, and whether it may be used.


@dataclass(frozen=True, slots=True)
class QuantisedFigures:
    """One form, measured beside float32 in the same run.

    `speed`: how many times as fast as float32, one thread, batches of 16. `accuracy` and
    `average_precision` (macro) are of clips, in [0, 1], None where the clips do not say. The losses
    against float32 are in points, less than 0 is a gain. `golden_tolerance`: how far the golden scores
    may be off, since a form that rounds its activations answers another CPU's rounding with other scores.
    """

    form: Form
    size_bytes: int
    speed: float
    accuracy: float | None
    average_precision: float | None
    accuracy_loss_points: float | None
    average_precision_loss_points: float | None
    golden_tolerance: float

    @property
    def fault(self) -> str | None:
        """Why the form is not offered; None if it is."""
        losses = (
            ("clip accuracy", self.accuracy_loss_points),
            ("macro average precision", self.average_precision_loss_points),
        )
        for what, points in losses:
            if points is not None and points > MOST_LOST_POINTS:
                return f"loses {points:.2f} points of {what}, at most {MOST_LOST_POINTS} are borne"
        if self.golden_tolerance > MAX_GOLDEN_TOLERANCE:
            return (
                f"a rounding error in the log-mel moves its scores by {self.golden_tolerance / 2:.2f}, "
                "so that no golden check can tell whether a station runs it right"
            )
        return None

    @property
    def summary(self) -> str:
        """All of it in one line."""
        return (
            f"{self.form}: {self.size_bytes / 1e6:.2f} MB, {self.speed:.2f} times as fast as float32, "
            f"clip accuracy {percent(self.accuracy)}, "
            f"macro average precision {percent(self.average_precision)}: {self.fault or 'offered'}"
        )


def lost_points(float32: float | None, form: float | None) -> float | None:
    """What a share in [0, 1] is less than float32's, in points; None where one is not known."""
    if float32 is None or form is None:
        return None
    return round(100.0 * (float32 - form), _DIGITS)


def smallest(figures: Sequence[QuantisedFigures]) -> QuantisedFigures:
    """The smallest form that is offered; float32 always is."""
    return min((each for each in figures if each.fault is None), key=lambda each: each.size_bytes)


# How fast forms are, measured in turns so that a busy machine slows all of them alike.


Clock = Callable[[], float]


def measure_speeds(
    forms: Mapping[Form, Infer],
    patches: NDArray[np.float32],
    clock: Clock = time.process_time,
    rounds: int = _ROUNDS,
) -> dict[Form, float]:
    """How many times as fast as float32 each form is, on batches of 16 of the patches (n, 96, 64).

    The median over rounds of the ratio within a round. The clock is CPU time: with one thread that is
    the work, whoever else uses the machine.
    """
    batch = np.resize(patches, (BATCH_PATCHES, *patches.shape[1:]))
    for infer in forms.values():
        infer(batch)  # memory is allocated at the first
    seconds = [_round(forms, batch, clock, turn) for turn in range(rounds)]
    return {form: median(each["float32"] / each[form] for each in seconds) for form in forms}


def _round(
    forms: Mapping[Form, Infer], batch: NDArray[np.float32], clock: Clock, turn: int
) -> dict[Form, float]:
    """Seconds of each form, every other round in the opposite order."""
    order = list(forms)[:: -1 if turn % 2 else 1]
    seconds: dict[Form, float] = {}
    for form in order:
        began = clock()
        forms[form](batch)
        seconds[form] = clock() - began
    return seconds
