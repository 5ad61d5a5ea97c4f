"""The event metrics of a set of files, together: collars, intersection, PSDS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation.counts import Counts, mean_known, sum_counts
from trainer.evaluation.psds import PSDS1, PSDS2, intersection_counts, psds
from trainer.evaluation.scored_file import (
    Intervals,
    ScoredFile,
    Span,
    at_least,
    intervals_of,
    lengths_of,
)

COLLARS_SECONDS = (0.2, 0.5, 1.0)
_OFFSET_COLLAR_RATE = 0.2  # of the truth's length: the end of a long sound is vague
_NOBODY = -1


# Collar-based matching: an event is right if its onset and offset are near enough to the truth's.


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


Judge = Callable[[Intervals, Intervals], Counts]


@dataclass(frozen=True, slots=True)
class EventScore:
    """One way of matching: counts per label, and their F1 averaged over labels (macro) and pooled."""

    counts: Mapping[str, Counts]
    macro_f1: float | None
    micro_f1: float | None


@dataclass(frozen=True, slots=True)
class EventMetrics:
    """Events at the policies' operating points; PSDS from the scores alone, over all thresholds.

    `collar` is by collar in seconds.
    """

    files: int
    events: int
    collar: Mapping[float, EventScore]
    intersection: EventScore
    psds1: float
    psds2: float


def event_metrics(
    files: Sequence[ScoredFile], found: Sequence[Sequence[Span]], labels: Sequence[str]
) -> EventMetrics:
    """All metrics of `found`, the events of each file, and of the files' scores.

    `labels` are the columns of the scores. For PSDS the scores should be smoothed already.
    """
    truth = [file.truth for file in files]
    return EventMetrics(
        files=len(files),
        events=sum(len(spans) for spans in truth),
        collar={
            seconds: score_events(found, truth, labels, _within(seconds))
            for seconds in COLLARS_SECONDS
        },
        intersection=score_events(found, truth, labels, intersection_counts),
        psds1=psds(files, labels, PSDS1),
        psds2=psds(files, labels, PSDS2),
    )


def _within(collar_seconds: float) -> Judge:
    return lambda found, truth: collar_counts(found, truth, collar_seconds)


def score_events(
    found: Sequence[Sequence[Span]],
    truth: Sequence[Sequence[Span]],
    labels: Sequence[str],
    judge: Judge,
) -> EventScore:
    """Judge the events of every label in every file; both sequences have one entry a file."""
    counts = {
        label: sum_counts(
            judge(intervals_of(events, label), intervals_of(spans, label))
            for events, spans in zip(found, truth, strict=True)
        )
        for label in labels
    }
    macro = mean_known(each.f1 for each in counts.values())
    return EventScore(counts, macro, sum_counts(counts.values()).f1)
