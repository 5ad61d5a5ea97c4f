"""Which label came nearest to an event that it did not make, and when."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.policy import LabelPolicy
from listener.detection.scores import Scores, ScoreSmoother

_ROUNDING = 1e-4  # of hundredths: scores are float32


@dataclass(frozen=True, slots=True)
class NearestMiss:
    """The best moment of a label that made no event.

    `score` is its highest smoothed one, `at` the onset of that slot, seconds. With a score of at least
    `policy.on_threshold` it was too short.
    """

    label: str
    score: float
    at: float
    policy: LabelPolicy

    def __str__(self) -> str:
        """`washing_machine 0.86 of 0.94 at 12.4 s`."""
        score = math.floor(100 * self.score + _ROUNDING) / 100  # a miss must not read as a hit
        words = f"{self.label} {score:.2f} of {self.policy.on_threshold:.2f} at {self.at:.1f} s"
        if not self.too_short:
            return words
        return f"{words}, for less than {self.policy.min_duration_seconds:g} s"

    @property
    def too_short(self) -> bool:
        """Whether only its length kept it from being an event."""
        return self.share >= 1.0

    @property
    def close(self) -> bool:
        """Whether an event that was going on would have gone on."""
        return bool(np.float32(self.score) >= np.float32(self.policy.off_threshold))

    @property
    def share(self) -> float:
        """Of the on_threshold; as float32, so that a score equal to it gives 1."""
        return float(np.float32(self.score) / np.float32(self.policy.on_threshold))


def find_nearest_misses(
    scores: NDArray[np.float32],
    boundaries: NDArray[np.float64],
    policies: Mapping[str, LabelPolicy],
    patch_hop_seconds: float,
    fired: Collection[str] = (),
) -> list[NearestMiss]:
    """The best moment of each label that is not among the `fired`, the nearest to its threshold first.

    `scores` are float32 (T, K) with the policies' labels as columns, `boundaries` the edges of the slots,
    (T + 1,), seconds. Empty without scores.
    """
    if not len(scores):
        return []
    lengths = [policy.smoothing_patches(patch_hop_seconds) for policy in policies.values()]
    smoothed = np.empty_like(scores)
    for length in set(lengths):
        columns = [column for column, each in enumerate(lengths) if each == length]
        smoothed[:, columns] = smooth(scores[:, columns], length)
    best = smoothed.argmax(axis=0).tolist()
    misses = [
        NearestMiss(
            label, float(smoothed[best[column], column]), float(boundaries[best[column]]), policy
        )
        for column, (label, policy) in enumerate(policies.items())
        if label not in fired
    ]
    return sorted(misses, key=lambda miss: -miss.share)


def miss_document(miss: NearestMiss) -> dict[str, float]:
    """The numbers of a near miss in JSON."""
    return {
        "score": round(miss.score, 6),
        "on_threshold": miss.policy.on_threshold,
        "at": round(miss.at, 3),
        "min_duration_seconds": miss.policy.min_duration_seconds,
    }


def smooth(scores: NDArray[np.float32], length: int) -> Scores:
    """The scores through the detector's own running median, float32 (T, K)."""
    smoother = ScoreSmoother(length, scores.shape[1])
    pushed = [smoother.push(row) for row in scores]
    return np.array([*(row for row in pushed if row is not None), *smoother.finish()])
