"""The event metrics of a set of files, together: collars, intersection, PSDS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation import scored_file
from trainer.evaluation.counts import Counts, Matcher, mean_known, sum_counts
from trainer.evaluation.psds import PSDS1, PSDS2, intersection_counts, psds

COLLARS_SECONDS = (0.2, 0.5, 1.0)
_OFFSET_COLLAR_RATE = 0.2  # of the truth's length: the end of a long sound is vague


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
    files: Sequence[scored_file.ScoredFile],
    found: Sequence[Sequence[scored_file.Span]],
    labels: Sequence[str],
) -> EventMetrics:
    """All metrics of `found`, the events of each file, and of the files' scores.

    `labels` are the columns of the scores. For PSDS the scores should be smoothed already.
    """
    truth = [file.truth for file in files]
    return EventMetrics(
        files=len(files),
        events=sum(len(spans) for spans in truth),
        collar={
            seconds: score_events(
                found, truth, labels, partial(collar_counts, collar_seconds=seconds)
            )
            for seconds in COLLARS_SECONDS
        },
        intersection=score_events(found, truth, labels, intersection_counts),
        psds1=psds(files, labels, PSDS1),
        psds2=psds(files, labels, PSDS2),
    )


def score_events(
    found: Sequence[Sequence[scored_file.Span]],
    truth: Sequence[Sequence[scored_file.Span]],
    labels: Sequence[str],
    matcher: Matcher,
) -> EventScore:
    """Match the events of every label in every file; both sequences have one entry a file."""
    counts = {
        label: sum_counts(
            matcher(scored_file.intervals_of(events, label), scored_file.intervals_of(spans, label))
            for events, spans in zip(found, truth, strict=True)
        )
        for label in labels
    }
    macro = mean_known(each.f1 for each in counts.values())
    return EventScore(counts, macro, sum_counts(counts.values()).f1)


def collar_counts(
    found: scored_file.Intervals, truth: scored_file.Intervals, collar_seconds: float
) -> Counts:
    """Hits, false alarms and misses of one label in one file.

    The onset may be off by the collar, the offset by the collar or a fifth of the truth's length,
    whichever is more.
    """
    offset_collars = np.maximum(collar_seconds, _OFFSET_COLLAR_RATE * scored_file.lengths_of(truth))
    near = _near(truth[:, 0], found[:, 0], np.full(len(truth), collar_seconds))
    near &= _near(truth[:, 1], found[:, 1], offset_collars)
    hits = count_pairs(near)
    return Counts(hits, len(found) - hits, len(truth) - hits)


def _near(
    truth: NDArray[np.float64], found: NDArray[np.float64], collars: NDArray[np.float64]
) -> NDArray[np.bool_]:
    return scored_file.at_least(collars[:, None], np.abs(truth[:, None] - found[None, :]))


def count_pairs(possible: NDArray[np.bool_]) -> int:
    """The largest number of pairs of a row and a column, (n, m), each in one pair at most."""
    from scipy.sparse import csr_array  # noqa: PLC0415 - few commands match by collars
    from scipy.sparse.csgraph import maximum_bipartite_matching  # noqa: PLC0415

    if not possible.any():
        return 0
    column_of = maximum_bipartite_matching(csr_array(possible), perm_type="column")
    return int((column_of >= 0).sum())
