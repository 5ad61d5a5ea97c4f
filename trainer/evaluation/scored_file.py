"""The scores of a file, the spans of labels in it, and intervals of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_TIME_DECIMALS = 6  # times are sums of float seconds: they agree to the microsecond

Intervals = NDArray[np.float64]  # (n, 2): onset and offset, seconds in the file


class Span(Protocol):
    """A label from onset to offset, seconds in the file: a LabelSpan, a PlacedSound."""

    @property
    def label(self) -> str:
        """The label's slug."""

    @property
    def onset(self) -> float:
        """Start."""

    @property
    def offset(self) -> float:
        """End, later than the onset."""


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """What a model gave for a file, and what is in it.

    `scores` is float32 (T, K), `boundaries` float64 (T + 1,), seconds: the slots of the rows.

    Raises:
        ValueError: other shapes.
    """

    name: str
    scores: NDArray[np.float32]
    boundaries: NDArray[np.float64]
    truth: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        if self.scores.ndim != 2 or self.boundaries.shape != (len(self.scores) + 1,):  # noqa: PLR2004
            raise ValueError(
                f"{self.name}: expected scores (T, K) and T + 1 boundaries, "
                f"got {self.scores.shape} and {self.boundaries.shape}"
            )

    @property
    def seconds(self) -> float:
        """Length of the file."""
        return float(self.boundaries[-1] - self.boundaries[0])

    def with_columns(self, columns: Sequence[int]) -> ScoredFile:
        """The file with the scores of these columns only."""
        return replace(self, scores=self.scores[:, list(columns)])


def smooth_file(file: ScoredFile, lengths: Sequence[int]) -> ScoredFile:
    """The file with each column through a median of its own length, odd numbers of slots."""
    columns = [running_median(file.scores[:, k], length) for k, length in enumerate(lengths)]
    return replace(file, scores=np.stack(columns, axis=1))


def running_median(scores: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Centred median over an odd number of slots of scores (T,) or (T, K), silence outside.

    Gives at once what the daemon's `ScoreSmoother(length, K)` gives row by row.
    """
    if length == 1 or not len(scores):
        return scores
    margin = [(length // 2, length // 2)] + [(0, 0)] * (scores.ndim - 1)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(scores, margin), length, axis=0)
    return np.partition(windows, length // 2, axis=-1)[..., length // 2]


def intervals_of(spans: Iterable[Span], label: str) -> Intervals:
    """The spans of one label by onset."""
    found = sorted((span.onset, span.offset) for span in spans if span.label == label)
    return np.array(found, np.float64).reshape(-1, 2)


def lengths_of(intervals: Intervals) -> NDArray[np.float64]:
    """Seconds of each, (n,)."""
    return intervals[:, 1] - intervals[:, 0]


def overlaps(first: Intervals, second: Intervals) -> NDArray[np.float64]:
    """Seconds that each of the first shares with each of the second, (n, m)."""
    onset = np.maximum(first[:, None, 0], second[None, :, 0])
    offset = np.minimum(first[:, None, 1], second[None, :, 1])
    return np.maximum(offset - onset, 0.0)


def at_least(seconds: NDArray[np.float64], least: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether durations reach others, to the microsecond."""
    return np.round(seconds, _TIME_DECIMALS) >= np.round(least, _TIME_DECIMALS)
