"""How well scores of clips, or of patches, tell which labels they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.policy import LabelPolicy
from trainer.evaluation.counts import Counts, mean_known

CALIBRATION_BINS = 15  # as in C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017
MOST_POINTS = 200  # of a curve that is kept


# How well scores rank clips: ROC-AUC and average precision of one label.


ScoresRanking = NDArray[np.floating]
Targets = NDArray[np.bool_]


def roc_auc(targets: Targets, scores: ScoresRanking) -> float | None:
    """The chance that a clip with the label scores higher than one without; equal counts half.

    Both are (N,). None where there is no clip of either kind. The area under the ROC curve is the
    Mann-Whitney U statistic over the number of pairs (J. Hanley and B. McNeil 1982).
    """
    positives = int(targets.sum())
    pairs = positives * (len(targets) - positives)
    if not pairs:
        return None
    lowest_sum = positives * (positives + 1) / 2
    return float((_mean_ranks(scores)[targets].sum() - lowest_sum) / pairs)


def _mean_ranks(scores: ScoresRanking) -> NDArray[np.float64]:
    """1 for the lowest; equal scores share the mean of their ranks."""
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    return (last - (sizes - 1) / 2)[group]


def average_precision(targets: Targets, scores: ScoresRanking) -> float | None:
    """The mean precision at the score of each clip that has the label; both are (N,).

    None where no clip has it. Equal scores come together, nothing is interpolated, as in
    scikit-learn's average_precision_score.
    """
    positives = int(targets.sum())
    if not positives:
        return None
    precisions, recalls = precision_recall(targets, scores)
    return float(np.diff(recalls, prepend=0.0) @ precisions)


def precision_recall(
    targets: Targets, scores: ScoresRanking
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall at each score that occurs, highest score first; targets and scores (N,).

    Raises:
        ValueError: no target is true, so that there is no recall.
    """
    if not targets.any():
        raise ValueError("precision and recall: expected a clip with the label, got none")
    order = np.argsort(-scores, kind="stable")
    found = np.arange(1, len(scores) + 1)
    hits = np.cumsum(targets[order])
    last_of_equals = np.append(np.diff(scores[order]) != 0, True)
    return (hits / found)[last_of_equals], (hits / hits[-1])[last_of_equals]


# Whether scores mean what they say: of scores of 0.8, are 80 % right?


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Scores of about the same height: how many, their mean, and the share of them that is right."""

    count: int
    mean_score: float
    right: float


def reliability_bins(
    scores: NDArray[np.float32], hits: NDArray[np.bool_], bins: int = CALIBRATION_BINS
) -> tuple[ReliabilityBin, ...]:
    """Scores (N,) in [0, 1] in bins of equal width, the lowest first; empty bins are left out."""
    place = np.minimum((scores * bins).astype(np.intp), bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = np.bincount(place, scores.astype(np.float64), minlength=bins)
    right = np.bincount(place, hits, minlength=bins)
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


Scores = NDArray[np.float32]
Mask = NDArray[np.bool_]


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

    `accuracy` and `confusion` look at clips with exactly one label: whether it has the highest score.
    `confusion[i][j]` counts clips of label i whose highest score is label j's. `reliability` is of the
    highest scores where each clip has one label, else of every known score.
    """

    clips: int
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
) -> ClipMetrics:
    """Metrics of N clips (or patches) and K labels.

    Args:
        targets: what is in the clips, (N, K).
        scores: what the model says, (N, K) in [0, 1].
        labels: the names of the columns.
        decided: the labels that the model is taken to say are there, (N, K); the highest score where
            each clip has exactly one label, else all scores from 0.5 on.
        known: where the target is known, (N, K); default: everywhere.

    Raises:
        ValueError: shapes that differ, or no clip.
    """
    _check(targets, scores, labels)
    single = bool((targets.sum(axis=1) == 1).all())
    decided = decide(scores, single_label=single) if decided is None else decided
    known = np.ones_like(targets) if known is None else known
    each = tuple(
        _label_metrics(label, targets[rows, k], scores[rows, k], decided[rows, k])
        for k, label in enumerate(labels)
        for rows in [known[:, k]]
    )
    confusion = confusion_matrix(targets, scores)
    ones = int(confusion.sum())
    return ClipMetrics(
        clips=len(targets),
        accuracy=float(np.trace(confusion) / ones) if ones else None,
        precision=mean_known(label.precision for label in each),
        recall=mean_known(label.recall for label in each),
        f1=mean_known(label.f1 for label in each),
        roc_auc=mean_known(label.roc_auc for label in each),
        average_precision=mean_known(label.average_precision for label in each),
        labels=each,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        reliability=_reliability(targets, scores, known, single_label=single),
    )


def _check(targets: Mask, scores: Scores, labels: Sequence[str]) -> None:
    expected = (len(targets), len(labels))
    if not len(targets) or targets.shape != expected or scores.shape != expected:
        raise ValueError(
            f"clip metrics: expected targets and scores (N, {len(labels)}) of at least one clip, "
            f"got {targets.shape} and {scores.shape}"
        )


def decide(scores: Scores, *, single_label: bool, threshold: float = 0.5) -> Mask:
    """The labels that the scores (N, K) say are there: the highest one, or all from a threshold on."""
    if single_label:
        return np.eye(scores.shape[1], dtype=np.bool_)[scores.argmax(axis=1)]
    return scores >= threshold


def _label_metrics(label: str, targets: Mask, scores: Scores, decided: Mask) -> LabelMetrics:
    counts = Counts(
        hits=int((targets & decided).sum()),
        false_alarms=int((~targets & decided).sum()),
        misses=int((targets & ~decided).sum()),
    )
    heard = int(targets.sum())
    return LabelMetrics(
        label,
        heard,
        # who never says a label that is there is not precise about it, as in scikit-learn
        precision=(counts.precision or 0.0) if heard else counts.precision,
        recall=counts.recall,
        f1=counts.f1,
        roc_auc=roc_auc(targets, scores),
        average_precision=average_precision(targets, scores),
    )


def confusion_matrix(targets: Mask, scores: Scores) -> NDArray[np.intp]:
    """Clips with exactly one label: rows are that label, columns the highest score's, (K, K)."""
    clear = targets.sum(axis=1) == 1
    matrix = np.zeros((targets.shape[1],) * 2, np.intp)
    np.add.at(matrix, (targets[clear].argmax(axis=1), scores[clear].argmax(axis=1)), 1)
    return matrix


def _reliability(
    targets: Mask, scores: Scores, known: Mask, *, single_label: bool
) -> tuple[ReliabilityBin, ...]:
    if single_label:
        best = scores.argmax(axis=1)
        rows = np.arange(len(scores))
        return reliability_bins(scores[rows, best], targets[rows, best])
    return reliability_bins(scores[known], targets[known])


# What each threshold would find and raise in vain, and where the policy's own lies.


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
    peaks: NDArray[np.float32],
    labels: Sequence[str],
    policies: Sequence[LabelPolicy],
) -> tuple[PrecisionRecall, ...]:
    """A curve for each label that a clip has; targets, known and highest smoothed scores are (N, K)."""
    return tuple(
        _curve(label, targets[rows, k], peaks[rows, k], policies[k].on_threshold)
        for k, label in enumerate(labels)
        for rows in [known[:, k]]
        if targets[rows, k].any()
    )


def _curve(
    label: str, targets: NDArray[np.bool_], peaks: NDArray[np.float32], on_threshold: float
) -> PrecisionRecall:
    precisions, recalls = precision_recall(targets, peaks)
    count = min(len(recalls), MOST_POINTS)
    kept = np.linspace(0, len(recalls) - 1, count).round().astype(np.intp)
    # as float32, as the detector compares
    found = peaks >= np.float32(on_threshold)
    counts = Counts(
        int((targets & found).sum()), int((~targets & found).sum()), int((targets & ~found).sum())
    )
    return PrecisionRecall(
        label,
        tuple(precisions[kept].tolist()),
        tuple(recalls[kept].tolist()),
        on_threshold,
        counts.precision,
        counts.recall,
    )
