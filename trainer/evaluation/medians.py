"""Medians over whole files: what the daemon's ScoreSmoother gives row by row, at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation.spans import ScoredFile


def running_median(scores: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Centred median over an odd number of slots of scores (T,) or (T, K), silence outside.

    Gives what `ScoreSmoother(length, K)` gives row by row.
    """
    if length == 1 or not len(scores):
        return scores
    margin = [(length // 2, length // 2)] + [(0, 0)] * (scores.ndim - 1)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(scores, margin), length, axis=0)
    return np.partition(windows, length // 2, axis=-1)[..., length // 2]


def smooth_file(file: ScoredFile, lengths: Sequence[int]) -> ScoredFile:
    """The file with each column through a median of its own length, odd numbers of slots."""
    columns = [running_median(file.scores[:, k], length) for k, length in enumerate(lengths)]
    return replace(file, scores=np.stack(columns, axis=1))
