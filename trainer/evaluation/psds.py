"""Polyphonic sound detection score: the area under recall against false alarms, over all thresholds.

C. Bilen et al., ICASSP 2020, computed exactly at every score that occurs, as J. Ebbers et al. do in
"Threshold-Independent Evaluation of Sound Event Detection Scores", ICASSP 2022.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation.counts import Counts
from trainer.evaluation.scored_file import (
    Intervals,
    ScoredFile,
    at_least,
    intervals_of,
    lengths_of,
    overlaps,
)

_SECONDS_PER_HOUR = 3600.0
_CELLS_AT_ONCE = 4_000_000  # of the table thresholds x slots; an hour-long file has many of both


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Shares in [0, 1]. The papers call them dtc, gtc and cttc.

    An event is relevant if truth of its label fills `detection` of it, else it is a false alarm. Truth
    is found if relevant events fill `truth` of it. A false alarm of which another label's truth fills
    `cross_trigger` is a cross trigger, too; with None there are none.
    """

    detection: float
    truth: float
    cross_trigger: float | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """How recall and false alarms are weighed.

    `cross_trigger_weight` (alpha_ct) adds the rate of cross triggers to that of false alarms,
    `spread_weight` (alpha_st) takes the labels' standard deviation off their mean recall, and the area
    ends at `max_per_hour` false alarms.
    """

    tolerances: Tolerances
    cross_trigger_weight: float = 0.0
    spread_weight: float = 1.0
    max_per_hour: float = 100.0


# DCASE task 4's intersection F1; its cttc of 0.3 is named beside it but changes no F1
INTERSECTION_F1 = Tolerances(detection=0.5, truth=0.5)
# DCASE 2021-2024 task 4: the first wants exact times, the second that labels are not confused
PSDS1 = Scenario(Tolerances(detection=0.7, truth=0.7))
PSDS2 = Scenario(Tolerances(0.1, 0.1, cross_trigger=0.3), cross_trigger_weight=0.5)


@dataclass(frozen=True, slots=True)
class Roc:
    """A staircase of one label: from `rates[i]` false alarms an hour on, `recalls[i]` is reached."""

    rates: NDArray[np.float64]
    recalls: NDArray[np.float64]

    def at(self, rates: NDArray[np.float64]) -> NDArray[np.float64]:
        """The recall at these rates; 0 before the first step."""
        step = np.searchsorted(self.rates, rates, side="right")
        return np.concatenate(([0.0], self.recalls))[step]


def psds(files: Sequence[ScoredFile], labels: Sequence[str], scenario: Scenario) -> float:
    """The score in [0, 1] over the labels that are heard; `labels` are the columns of the scores.

    Raises:
        ValueError: none of the labels is heard in any file, so that there is no recall.
    """
    heard = {span.label for file in files for span in file.truth}
    columns = [column for column, label in enumerate(labels) if label in heard]
    if not columns:
        raise ValueError(f"PSDS: expected truth of one of {len(labels)} labels, got none")
    rocs = [label_roc(files, labels, column, scenario) for column in columns]
    rates = np.unique(np.concatenate([[0.0], *(roc.rates for roc in rocs)]))
    rates = rates[rates <= scenario.max_per_hour]
    recalls = np.stack([roc.at(rates) for roc in rocs])
    steady = recalls.mean(axis=0) - scenario.spread_weight * recalls.std(axis=0)
    widths = np.diff(rates, append=scenario.max_per_hour)
    return float(np.maximum(steady, 0.0) @ widths / scenario.max_per_hour)


def label_roc(
    files: Sequence[ScoredFile], labels: Sequence[str], column: int, scenario: Scenario
) -> Roc:
    """One label's staircase."""
    truths = {label: [intervals_of(file.truth, label) for file in files] for label in labels}
    own = truths.pop(labels[column])
    others = list(zip(*truths.values(), strict=True)) or [()] * len(files)
    changes = [
        _changes(file, column, truth, other, scenario.tolerances)
        for file, truth, other in zip(files, own, others, strict=True)
    ]
    thresholds = np.concatenate([values for values, _ in changes])
    order = np.argsort(-thresholds, kind="stable")
    last_of_equals = np.append(np.diff(thresholds[order]) != 0, True)
    steps = np.concatenate([steps for _, steps in changes])[order]
    counts = np.cumsum(steps, axis=0)[last_of_equals]  # (thresholds, 2 + others)
    seconds = sum(file.seconds for file in files)
    rates = counts[:, 1] / seconds
    if scenario.cross_trigger_weight and truths:
        heard = [sum(lengths_of(truth).sum() for truth in each) for each in truths.values()]
        crossed = counts[:, 2:] / np.maximum(heard, 1e-12)  # 0 / 0 is no cross trigger
        rates = rates + scenario.cross_trigger_weight * crossed.mean(axis=1)
    rates = rates * _SECONDS_PER_HOUR
    recalls = counts[:, 0] / max(sum(len(truth) for truth in own), 1)
    order = np.argsort(rates, kind="stable")
    return Roc(rates[order], np.maximum.accumulate(recalls[order]))


_Changes = tuple[NDArray[np.float32], NDArray[np.intp]]


def _changes(
    file: ScoredFile,
    column: int,
    truth: Intervals,
    others: Sequence[Intervals],
    tolerances: Tolerances,
) -> _Changes:
    """The scores of one label in one file, highest first, and what each adds to the counts."""
    scores = file.scores[:, column]
    thresholds = np.unique(scores)[::-1]
    parts = []
    rows = max(1, _CELLS_AT_ONCE // max(1, len(scores)))
    for start in range(0, len(thresholds), rows):
        part = thresholds[start : start + rows]
        active = np.pad(scores >= part[:, None], ((0, 0), (1, 1)))
        group, first = np.nonzero(active[:, 1:] & ~active[:, :-1])
        _, last = np.nonzero(active[:, :-1] & ~active[:, 1:])
        found = np.column_stack((file.boundaries[first], file.boundaries[last]))
        matched = match_groups(found, group, len(part), truth, others, tolerances)
        parts.append(np.column_stack((matched.hits, matched.false_alarms, matched.cross_triggers)))
    counts = np.concatenate([np.zeros((1, 2 + len(others)), np.intp), *parts])
    return thresholds, np.diff(counts, axis=0)


def intersection_counts(
    found: Intervals, truth: Intervals, tolerances: Tolerances = INTERSECTION_F1
) -> Counts:
    """Hits (truth found), false alarms and misses of one label in one file."""
    group = np.zeros(len(found), np.intp)
    matched = match_groups(found, group, 1, truth, (), tolerances)
    hits = int(matched.hits[0])
    return Counts(hits, int(matched.false_alarms[0]), len(truth) - hits)


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """Counts per group of events: `hits` and `false_alarms` (G,), `cross_triggers` (G, others)."""

    hits: NDArray[np.intp]
    false_alarms: NDArray[np.intp]
    cross_triggers: NDArray[np.intp]


def match_groups(
    found: Intervals,
    group: NDArray[np.intp],
    groups: int,
    truth: Intervals,
    others: Sequence[Intervals],
    tolerances: Tolerances,
) -> GroupCounts:
    """Match several groups of events (found at several thresholds, say) of one label in one file.

    Args:
        found: the events of all groups.
        group: which group each belongs to, (len(found),), below `groups`.
        groups: how many there are.
        truth: where the label is heard.
        others: where each of the other labels is heard.
        tolerances: what is relevant, found and a cross trigger.
    """
    shared = overlaps(found, truth)
    relevant = at_least(shared.sum(axis=1), tolerances.detection * lengths_of(found))
    covered = np.zeros((groups, len(truth)))
    np.add.at(covered, group[relevant], shared[relevant])
    return GroupCounts(
        hits=at_least(covered, tolerances.truth * lengths_of(truth)).sum(axis=1),
        false_alarms=np.bincount(group[~relevant], minlength=groups),
        cross_triggers=_cross_triggers(
            found[~relevant], group[~relevant], groups, others, tolerances.cross_trigger
        ),
    )


def _cross_triggers(
    alarms: Intervals,
    group: NDArray[np.intp],
    groups: int,
    others: Sequence[Intervals],
    tolerance: float | None,
) -> NDArray[np.intp]:
    counts = np.zeros((groups, len(others)), np.intp)
    if tolerance is None:
        return counts
    for column, other in enumerate(others):
        if len(other):
            shared = overlaps(alarms, other).sum(axis=1)
            crossed = at_least(shared, tolerance * lengths_of(alarms))
            counts[:, column] = np.bincount(group[crossed], minlength=groups)
    return counts
