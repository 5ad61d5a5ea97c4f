"""PatchScores, the time slots of overlapping patches, and the smoother."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection import audio, features
from listener.detection.params import FeatureParams

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PatchScores:
    """The scores of one patch and the time slot that they stand for.

    `scores` is float32 (K,) in [0, 1], never altered; `embedding` float32 (D,). Times are unix seconds
    live, seconds in the file offline. `members`, float32 (M,), are the scores of the groups' members, group
    by group; None where nobody needs them.
    """

    source: str
    onset: float
    offset: float
    scores: Scores
    embedding: NDArray[np.float32] | None = None
    level_dbfs: float = audio.SILENCE_DBFS
    members: Scores | None = None


def slot_of(patch: features.Patch, params: FeatureParams, *, first: bool) -> tuple[float, float]:
    """Onset and offset of the hop-wide slot at the centre of a patch, seconds.

    Patches overlap, so each stands only for what is nearest to its centre. The first patch of a stream, or
    after a hole, also stands for what comes before that. None stands for more than the audio in it.
    """
    margin = (params.window_samples - params.patch_hop_samples) / 2 / params.sample_rate_hz
    seconds = min(margin + params.patch_hop_seconds, patch.seconds)
    onset = patch.captured_at if first else patch.captured_at + margin
    return onset, patch.captured_at + seconds


def slot_boundaries(patch_count: int, seconds: float, params: FeatureParams) -> NDArray[np.float64]:
    """The T + 1 boundaries of the slots of a whole file, seconds: 0 first, the end of the file last."""
    margin = (params.window_samples - params.patch_hop_samples) / 2 / params.sample_rate_hz
    boundaries = margin + np.arange(patch_count + 1, dtype=np.float64) * params.patch_hop_seconds
    boundaries[0], boundaries[-1] = 0.0, seconds
    return boundaries


class ScoreSmoother:
    """Centred running median over an odd number of patches, for K labels at once.

    Each row comes out `delay` rows after it went in. Before the first and after the last row all scores
    count as 0, so that a single high patch at an edge is smoothed away like any other.
    """

    def __init__(self, length: int, label_count: int) -> None:
        if length < 1 or length % 2 == 0:
            raise ValueError(f"length: expected an odd number of patches, got {length}")
        self.delay = length // 2
        self._ring = np.zeros((length, label_count), np.float32)
        self._pushed = 0

    def push(self, scores: Scores) -> Scores | None:
        """Add a row, float32 (K,); gives the smoothed row of `delay` rows ago, once there is one."""
        if len(self._ring) == 1:
            return scores
        self._ring[self._pushed % len(self._ring)] = scores
        self._pushed += 1
        return None if self._pushed <= self.delay else _median(self._ring)

    def finish(self) -> list[Scores]:
        """The smoothed rows still inside; resets the smoother."""
        silence = np.zeros(self._ring.shape[1], np.float32)
        rows = [] if self._pushed == 0 else [self.push(silence) for _ in range(self.delay)]
        self._ring[:] = 0.0
        self._pushed = 0
        return [row for row in rows if row is not None]


def _median(rows: NDArray[np.float32]) -> Scores:
    """The median of an odd number of rows, float32 (n, K) -> (K,)."""
    if len(rows) == 3:  # noqa: PLR2004 - the default length, five times as fast as sorting
        first, second, third = rows
        low, high = np.minimum(first, second), np.maximum(first, second)
        median: Scores = np.maximum(low, np.minimum(high, third))
    else:
        median = np.sort(rows, axis=0)[len(rows) // 2]
    return median
