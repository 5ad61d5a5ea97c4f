"""How good, how fast and how sensitive to rounding each form of a model is, beside float32."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import GOLDEN_TOLERANCE, MAX_GOLDEN_TOLERANCE, Infer
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from trainer.config import Form
from trainer.data.clips import ClipTable, Quarantined
from trainer.data.targets import Targets, clip_targets
from trainer.errors import DataError
from trainer.evaluation.clip_metrics import ClipMetrics, Scores, clip_metrics
from trainer.evaluation.selection import read_one_by_one
from trainer.formatting import percent
from trainer.terminal import Progress

BATCH_PATCHES = 16  # that speed is measured with
MAX_LOSS_POINTS = 0.5
_LOSS_DIGITS = (
    6  # of points: 2 of 400 clips are 0.5 points in decimals, and a little more in binary
)
_ROUNDING = 1e-5  # of the log-mel: how far live and offline, TensorFlow and numpy may differ
_ROUNDING_TRIALS = 8
_TOLERANCE_FACTOR = 2.0  # another CPU may round worse than the worst of the trials
_CALIBRATION_SHARE = 10  # one clip in so many
_MAX_CALIBRATION_CLIPS = 40
_MAX_PATCHES = 200  # each takes the converter 5 ms for YAMNet
_SILENCE_MARGIN = 1e-4  # of the log-mel, above that of digital silence
_SPEED_ROUNDS = 40

Clock = Callable[[], float]  # s


@dataclass(frozen=True, slots=True)
class QuantisedFigures:
    """One form, measured beside float32 in the same run.

    `speed`: how many times as fast as float32, one thread, batches of 16. `accuracy` and
    `average_precision` (macro) are of clips, in [0, 1], None where the clips do not say. The losses
    against float32 are in points; a negative loss is a gain. `golden_tolerance`: how far the golden
    scores may differ, because a form that rounds its activations amplifies another CPU's rounding.
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
            if points is not None and points > MAX_LOSS_POINTS:
                return f"loses {points:.2f} points of {what}, at most {MAX_LOSS_POINTS} are allowed"
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
    """How far a share in [0, 1] is below float32's, in points; None where one is not known."""
    if float32 is None or form is None:
        return None
    return round(100.0 * (float32 - form), _LOSS_DIGITS)


def smallest(figures: Sequence[QuantisedFigures]) -> QuantisedFigures:
    """The smallest form that is offered; float32 always is."""
    return min((each for each in figures if each.fault is None), key=lambda each: each.size_bytes)


def split_clips(table: ClipTable) -> tuple[ClipTable, ClipTable]:
    """A few clips from all over the table that calibrate int8, and the others that evaluate all forms.

    Raises:
        DataError: fewer than two clips.
    """
    count = len(table.clips)
    if count < 2:  # noqa: PLR2004 - one for each
        raise DataError(f"expected at least 2 clips to judge forms by, got {count}")
    wanted = min(max(count // _CALIBRATION_SHARE, 1), _MAX_CALIBRATION_CLIPS)
    chosen = set(np.linspace(0, count - 1, wanted, dtype=np.intp).tolist())
    calibration = tuple(clip for index, clip in enumerate(table.clips) if index in chosen)
    evaluation = tuple(clip for index, clip in enumerate(table.clips) if index not in chosen)
    return replace(table, clips=calibration), replace(table, clips=evaluation)


def representative_patches(
    table: ClipTable, features: FeatureParams, progress: Progress | None = None
) -> NDArray[np.float32]:
    """At most 200 patches from all over the clips, float32 (n, 96, 64).

    Patches with an STFT frame of digital silence are left out, if there are others: silence drives
    YAMNet's logits to -650, and 8 bits over such a range cannot resolve the scores of sounds.

    Raises:
        DataError: no clip can be read.
    """
    found = [
        log_mel_patches(samples, features)
        for _, samples in read_one_by_one(table, features.sample_rate_hz, progress)
        if not isinstance(samples, Quarantined)
    ]
    if not found:
        raise DataError(f"expected clips that can be read, got none of {len(table.clips)}")
    patches = np.concatenate(found)
    silence = np.log(features.log_offset) + _SILENCE_MARGIN
    silent = (patches < silence).all(axis=2).any(axis=1)
    if not silent.all():
        patches = patches[~silent]
    return patches[:: -(-len(patches) // _MAX_PATCHES)]


def evaluate_forms(
    forms: Mapping[Form, Infer],
    table: ClipTable,
    labels: Sequence[str],
    features: FeatureParams,
    progress: Progress | None = None,
) -> dict[Form, ClipMetrics]:
    """Clip metrics of each form, on the same patches; `labels` are the columns of the scores.

    Raises:
        DataError: no clip can be read.
    """
    columns = [list(labels).index(name) for name in table.classes]
    targets: list[Targets] = []
    scores: dict[Form, list[Scores]] = {form: [] for form in forms}
    for clip, samples in read_one_by_one(table, features.sample_rate_hz, progress):
        if isinstance(samples, Quarantined):
            continue
        targets.append(clip_targets(clip, table.classes))
        patches = log_mel_patches(samples, features)
        for form, infer in forms.items():
            scores[form].append(infer(patches)[0].mean(axis=0)[columns])
    if not targets:
        raise DataError(f"expected clips that can be read, got none of {len(table.clips)}")
    shape = len(targets), len(columns)
    present = np.stack([each.values for each in targets]).reshape(shape) > 0
    known = np.stack([each.known for each in targets]).reshape(shape) > 0
    return {
        form: clip_metrics(present, np.stack(rows), table.classes, known=known)
        for form, rows in scores.items()
    }


def golden_tolerance(infer: Infer, patches: NDArray[np.float32]) -> float:
    """How far golden scores may differ on a CPU that rounds otherwise; at least GOLDEN_TOLERANCE.

    `patches` are the golden waveform's.
    """
    exact, _ = infer(patches)
    random = np.random.default_rng(0)
    noises = (random.normal(0.0, _ROUNDING, patches.shape) for _ in range(_ROUNDING_TRIALS))
    moved = (infer((patches + noise).astype(np.float32))[0] for noise in noises)
    worst = max(float(np.abs(scores - exact).max()) for scores in moved)
    return max(GOLDEN_TOLERANCE, _TOLERANCE_FACTOR * worst)


def measure_speeds(
    forms: Mapping[Form, Infer],
    patches: NDArray[np.float32],
    clock: Clock = time.process_time,
    rounds: int = _SPEED_ROUNDS,
) -> dict[Form, float]:
    """How many times as fast as float32 each form is, on batches of 16 of the patches (n, 96, 64).

    The median over rounds of the ratio within a round, so that a busy machine slows all forms alike.
    The clock is CPU time: with one thread that is the work, whatever else the machine does.
    """
    batch = np.resize(patches, (BATCH_PATCHES, *patches.shape[1:]))
    for infer in forms.values():
        infer(batch)  # the first call allocates memory
    ratios: dict[Form, list[float]] = {form: [] for form in forms}
    for turn in range(rounds):
        seconds: dict[Form, float] = {}
        for form in list(forms)[:: -1 if turn % 2 else 1]:  # every other round in reverse
            began = clock()
            forms[form](batch)
            seconds[form] = clock() - began
        for form in forms:
            ratios[form].append(seconds["float32"] / seconds[form])
    return {form: median(found) for form, found in ratios.items()}
