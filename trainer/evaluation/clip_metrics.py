"""How well scores of clips, or of patches, tell which labels they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation.counts import Counts, mean_known
from trainer.evaluation.ranking import average_precision, roc_auc
from trainer.evaluation.reliability import ReliabilityBin, calibration_error, reliability_bins

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
