"""How well scores rank clips: ROC-AUC and average precision of one label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]
Targets = NDArray[np.bool_]


def roc_auc(targets: Targets, scores: Scores) -> float | None:
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


def _mean_ranks(scores: Scores) -> NDArray[np.float64]:
    """1 for the lowest; equal scores share the mean of their ranks."""
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    return (last - (sizes - 1) / 2)[group]


def average_precision(targets: Targets, scores: Scores) -> float | None:
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
    targets: Targets, scores: Scores
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
