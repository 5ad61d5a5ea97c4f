"""Which label came nearest to an event that it did not make, and when."""

import math
from collections import deque
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
    finder = NearMissFinder(policies, patch_hop_seconds)
    for row, onset in zip(scores, boundaries.tolist(), strict=False):  # the last one is the end
        finder.push(row, onset)
    return finder.finish(fired)


class NearMissFinder:
    """The same, score by score: what it keeps does not grow."""

    def __init__(self, policies: Mapping[str, LabelPolicy], patch_hop_seconds: float) -> None:
        self._policies = policies
        lengths = np.array([p.smoothing_patches(patch_hop_seconds) for p in policies.values()], int)
        self._smoothers = {
            length: (ScoreSmoother(length, int((lengths == length).sum())), lengths == length)
            for length in set(lengths.tolist())
        }
        self._onsets: deque[float] = deque(maxlen=int(lengths.max(initial=0)) // 2 + 1)
        self._best = np.full(len(lengths), -1.0, np.float32)
        self._best_at = np.zeros(len(lengths))

    def push(self, scores: Scores, onset: float) -> None:
        """Add the scores of the next slot, float32 (K,), which begins at `onset`, seconds."""
        self._onsets.append(onset)
        for smoother, columns in self._smoothers.values():
            smoothed = smoother.push(scores[columns])
            if smoothed is not None:
                self._keep_best(columns, smoothed, self._onsets[-1 - smoother.delay])

    def finish(self, fired: Collection[str] = ()) -> list[NearestMiss]:
        """After the last: the best moment of each label not in `fired`, the nearest first."""
        if not self._onsets:
            return []
        for smoother, columns in self._smoothers.values():
            rows = smoother.finish()
            for ago, smoothed in zip(range(len(rows), 0, -1), rows, strict=True):
                self._keep_best(columns, smoothed, self._onsets[-ago])
        found = zip(
            self._policies.items(), self._best.tolist(), self._best_at.tolist(), strict=True
        )
        misses = [
            NearestMiss(label, score, at, policy)
            for (label, policy), score, at in found
            if label not in fired
        ]
        return sorted(misses, key=lambda miss: -miss.share)

    def _keep_best(self, columns: NDArray[np.bool_], smoothed: Scores, onset: float) -> None:
        better = np.flatnonzero(columns)[smoothed > self._best[columns]]
        self._best[better] = smoothed[smoothed > self._best[columns]]
        self._best_at[better] = onset


def miss_document(miss: NearestMiss) -> dict[str, float]:
    """The numbers of a near miss in JSON."""
    return {
        "score": round(miss.score, 6),
        "on_threshold": miss.policy.on_threshold,
        "at": round(miss.at, 3),
        "min_duration_seconds": miss.policy.min_duration_seconds,
    }
