"""Collar-based matching: an event is right if its onset and offset are near enough to the truth's.

The rules are those of sed_eval's EventBasedMetrics (https://tut-arg.github.io/sed_eval/), matching
optimal: as many pairs as can be, each event and each truth in one pair at most.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation.counts import Counts
from trainer.evaluation.spans import Intervals, at_least, lengths_of

COLLARS_SECONDS = (0.2, 0.5, 1.0)
_OFFSET_COLLAR_RATE = 0.2  # of the truth's length: the end of a long sound is vague

_NOBODY = -1


def collar_counts(found: Intervals, truth: Intervals, collar_seconds: float) -> Counts:
    """Hits, false alarms and misses of one label in one file.

    The onset may be off by the collar, the offset by the collar or a fifth of the truth's length,
    whichever is more.
    """
    offset_collars = np.maximum(collar_seconds, _OFFSET_COLLAR_RATE * lengths_of(truth))
    near = _near(truth[:, 0], found[:, 0], np.full(len(truth), collar_seconds))
    near &= _near(truth[:, 1], found[:, 1], offset_collars)
    hits = count_pairs(near)
    return Counts(hits, len(found) - hits, len(truth) - hits)


def _near(
    truth: NDArray[np.float64], found: NDArray[np.float64], collars: NDArray[np.float64]
) -> NDArray[np.bool_]:
    return at_least(collars[:, None], np.abs(truth[:, None] - found[None, :]))


def count_pairs(possible: NDArray[np.bool_]) -> int:
    """The largest number of pairs of a row and a column, (n, m), each in one pair at most.

    Rows are given a column one after the other; who already has it moves on if they can (augmenting
    paths, H. W. Kuhn 1955).
    """
    column_of = np.full(possible.shape[0], _NOBODY)
    row_of = np.full(possible.shape[1], _NOBODY)
    return sum(_seat(row, possible, column_of, row_of) for row in range(len(possible)))


def _seat(
    row: int,
    possible: NDArray[np.bool_],
    column_of: NDArray[np.intp],
    row_of: NDArray[np.intp],
) -> bool:
    """Whether a free column could be found for the row, others moving on where needed."""
    asked_by: dict[int, int] = {}  # column -> the row that asks for it
    asking = [row]
    for current in asking:
        for column in np.flatnonzero(possible[current]).tolist():
            if column in asked_by:
                continue
            asked_by[column] = current
            if row_of[column] == _NOBODY:
                _move(column, asked_by, column_of, row_of)
                return True
            asking.append(int(row_of[column]))
    return False


def _move(
    column: int,
    asked_by: dict[int, int],
    column_of: NDArray[np.intp],
    row_of: NDArray[np.intp],
) -> None:
    while column != _NOBODY:
        row = asked_by[column]
        left = int(column_of[row])
        column_of[row], row_of[column] = column, row
        column = left
