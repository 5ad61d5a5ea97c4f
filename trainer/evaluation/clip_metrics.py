"""Metrics of clips, or of patches: which labels they hold, and which the scores say they hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.policy import LabelPolicy
from trainer.evaluation.counts import Counts, mean_known

# scikit-learn is imported where it is called: it takes a second or two, and most commands rank nothing.

CALIBRATION_BINS = 15  # as in C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017
MOST_POINTS = 200  # of a curve that is kept

Scores = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Scores of about the same height: how many, their mean, and the share of them that is right."""

    count: int
    mean_score: float
    right: float


@dataclass(frozen=True, slots=True)
class LabelMetrics:
    """One label; None where the clips do not say, for want of clips with it or without it."""

    label: str
    clips: int
    precision: float | None
    recall: float | None
    f1: float | None
    roc_auc: float | None
    average_precision: float | None


@dataclass(frozen=True, slots=True)
class ClipMetrics:
    """All labels; `precision` to `average_precision` are means over labels (macro).

    `accuracy` is of the `judged` clips: those with exactly one label, which must have the highest score,
    and `backgrounds`, which are known to hold none and in which no label may pass. Where there are
    backgrounds, the one label must pass as well. `confusion` looks at clips with one label:
    `confusion[i][j]` counts those of label i whose highest score is label j's. `reliability` is of the
    highest scores where each clip has one label, else of every known score.
    """

    clips: int
    judged: int
    backgrounds: int
    accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    roc_auc: float | None
    average_precision: float | None
    labels: tuple[LabelMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[ReliabilityBin, ...]

    @property
    def calibration_error(self) -> float:
        """The expected one (ECE)."""
        return calibration_error(self.reliability)


def clip_metrics(
    targets: Mask,
    scores: Scores,
    labels: Sequence[str],
    *,
    decided: Mask | None = None,
    known: Mask | None = None,
    passed: Mask | None = None,
) -> ClipMetrics:
    """Metrics of N clips (or patches) and K labels; all arrays are (N, K), scores in [0, 1].

    `decided` are the labels that the model is taken to find; default: the highest score where each clip
    has exactly one label, else all scores from 0.5 on. `passed` are the labels that the station would
    report, which makes a clip of none of them wrong; default: all scores from 0.5 on. By default every
    target is `known`.

    Raises:
        ValueError: shapes that differ, or no clip.
    """
    expected = (len(targets), len(labels))
    if not len(targets) or targets.shape != expected or scores.shape != expected:
        raise ValueError(
            f"clip metrics: expected targets and scores (N, {len(labels)}) of at least one clip, "
            f"got {targets.shape} and {scores.shape}"
        )
    single = bool((targets.sum(axis=1) == 1).all())
    decided = decide(scores, single_label=single) if decided is None else decided
    known = np.ones_like(targets) if known is None else known
    by_label = tuple(
        _label_metrics(label, targets[rows, k], scores[rows, k], decided[rows, k])
        for k, label in enumerate(labels)
        for rows in [known[:, k]]
    )
    confusion = confusion_matrix(targets, scores)
    background = np.all(known & ~targets, axis=1)
    passed = decide(scores, single_label=False) if passed is None else passed
    right = _find_right(targets, scores, background, passed)
    judged = background | (targets.sum(axis=1) == 1)
    rated = decide(scores, single_label=True) if single else known
    return ClipMetrics(
        clips=len(targets),
        judged=int(judged.sum()),
        backgrounds=int(background.sum()),
        accuracy=float(right[judged].mean()) if judged.any() else None,
        precision=mean_known(each.precision for each in by_label),
        recall=mean_known(each.recall for each in by_label),
        f1=mean_known(each.f1 for each in by_label),
        roc_auc=mean_known(each.roc_auc for each in by_label),
        average_precision=mean_known(each.average_precision for each in by_label),
        labels=by_label,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        reliability=reliability_bins(scores[rated], targets[rated]),
    )


def _find_right(targets: Mask, scores: Scores, background: Mask, passed: Mask) -> Mask:
    """The clips that are taken for what they are, (N,), of those with one label or none."""
    best = decide(scores, single_label=True)
    hits = targets & best
    if background.any():  # else silence would be right everywhere where there is a single label
        hits &= passed
    return np.where(background, ~passed.any(axis=1), hits.any(axis=1))


def decide(scores: Scores, *, single_label: bool, threshold: float = 0.5) -> Mask:
    """The labels that the scores (N, K) say are there: the highest one, or all from a threshold on."""
    if single_label:
        return np.eye(scores.shape[1], dtype=np.bool_)[scores.argmax(axis=1)]
    return scores >= threshold


def _label_metrics(label: str, targets: Mask, scores: Scores, decided: Mask) -> LabelMetrics:
    counts = _count(targets, decided)
    clips = int(targets.sum())
    return LabelMetrics(
        label,
        clips,
        # a label that is there and never found has precision 0, as in scikit-learn
        precision=(counts.precision or 0.0) if clips else counts.precision,
        recall=counts.recall,
        f1=counts.f1,
        roc_auc=roc_auc(targets, scores),
        average_precision=average_precision(targets, scores),
    )


def _count(targets: Mask, found: Mask) -> Counts:
    return Counts(
        hits=int((targets & found).sum()),
        false_alarms=int((~targets & found).sum()),
        misses=int((targets & ~found).sum()),
    )


def confusion_matrix(targets: Mask, scores: Scores) -> NDArray[np.intp]:
    """Clips with exactly one label: rows are that label, columns the highest score's, (K, K)."""
    clear = targets.sum(axis=1) == 1
    matrix = np.zeros((targets.shape[1],) * 2, np.intp)
    np.add.at(matrix, (targets[clear].argmax(axis=1), scores[clear].argmax(axis=1)), 1)
    return matrix


def roc_auc(targets: Mask, scores: NDArray[np.floating]) -> float | None:
    """The chance that a clip with the label scores higher than one without; equal scores count half.

    Both are (N,). None where there is no clip of either kind.
    """
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415

    return float(roc_auc_score(targets, scores)) if targets.any() and not targets.all() else None


def average_precision(targets: Mask, scores: NDArray[np.floating]) -> float | None:
    """The mean precision at the score of each clip that has the label; both are (N,).

    None where no clip has it. Equal scores come together, nothing is interpolated.
    """
    from sklearn.metrics import average_precision_score  # noqa: PLC0415

    return float(average_precision_score(targets, scores)) if targets.any() else None


def precision_recall(
    targets: Mask, scores: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall at each score that occurs, highest score first; targets and scores (N,).

    Raises:
        ValueError: no target is true, so that there is no recall.
    """
    from sklearn.metrics import precision_recall_curve  # noqa: PLC0415

    if not targets.any():
        raise ValueError("precision and recall: expected a clip with the label, got none")
    precisions, recalls, _ = precision_recall_curve(targets, scores)
    return precisions[-2::-1], recalls[-2::-1]  # the last point, recall 0, is at no score


def reliability_bins(
    scores: Scores, hits: Mask, bins: int = CALIBRATION_BINS
) -> tuple[ReliabilityBin, ...]:
    """Scores (N,) in [0, 1] in bins of equal width, the lowest first; empty bins are left out."""
    index = np.minimum((scores * bins).astype(np.intp), bins - 1)
    counts = np.bincount(index, minlength=bins)
    sums = np.bincount(index, scores.astype(np.float64), minlength=bins)
    right = np.bincount(index, hits, minlength=bins)
    return tuple(
        ReliabilityBin(int(counts[i]), float(sums[i] / counts[i]), float(right[i] / counts[i]))
        for i in np.flatnonzero(counts)
    )


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Expected calibration error: how far scores are from the share that is right, on average.

    Each bin counts as much as it holds; 0 without any.
    """
    gaps = sum(each.count * abs(each.mean_score - each.right) for each in bins)
    return gaps / max(sum(each.count for each in bins), 1)


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """One label: precision and recall at all thresholds, and at `on_threshold`, its policy's.

    A clip counts as found where its highest smoothed score reaches the threshold: where an event would
    open.
    """

    label: str
    precisions: tuple[float, ...]
    recalls: tuple[float, ...]
    on_threshold: float
    precision: float | None
    recall: float | None


def precision_recall_curves(
    targets: Mask,
    known: Mask,
    peaks: Scores,
    labels: Sequence[str],
    policies: Sequence[LabelPolicy],
) -> tuple[PrecisionRecall, ...]:
    """A curve for each label that a clip has; targets, known and highest smoothed scores are (N, K)."""
    curves = []
    for k, label in enumerate(labels):
        rows, on_threshold = known[:, k], policies[k].on_threshold
        held, scores = targets[rows, k], peaks[rows, k]
        if not held.any():
            continue
        precisions, recalls = precision_recall(held, scores)
        count = min(len(recalls), MOST_POINTS)
        kept = np.linspace(0, len(recalls) - 1, count).round().astype(np.intp)
        # as float32, as the detector compares
        counts = _count(held, scores >= np.float32(on_threshold))
        curves.append(
            PrecisionRecall(
                label,
                tuple(precisions[kept].tolist()),
                tuple(recalls[kept].tolist()),
                on_threshold,
                counts.precision,
                counts.recall,
            )
        )
    return tuple(curves)
