"""What each threshold would find and raise in vain, and where the policy's own lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.policy import LabelPolicy
from trainer.evaluation.clip_metrics import Mask
from trainer.evaluation.counts import Counts
from trainer.evaluation.ranking import precision_recall

MOST_POINTS = 200  # of a curve that is kept


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
