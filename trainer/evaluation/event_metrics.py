"""The event metrics of a set of files, together: collars, intersection, PSDS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trainer.evaluation.collar import COLLARS_SECONDS, collar_counts
from trainer.evaluation.counts import Counts, mean_known, sum_counts
from trainer.evaluation.intersection import intersection_counts
from trainer.evaluation.psds import PSDS1, PSDS2, psds
from trainer.evaluation.spans import Intervals, ScoredFile, Span, intervals_of

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
