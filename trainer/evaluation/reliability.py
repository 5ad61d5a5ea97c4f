"""Whether scores mean what they say: of scores of 0.8, are 80 % right?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 15  # as in C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017


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
