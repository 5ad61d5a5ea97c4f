"""Intersection-based matching: what counts is how much of an event and of the truth overlap.

C. Bilen et al., "A Framework for the Robust Evaluation of Sound Event Detection", ICASSP 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation.counts import Counts
from trainer.evaluation.spans import Intervals, at_least, lengths_of, overlaps


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Shares in [0, 1]. The papers call them dtc, gtc and cttc.

    An event is relevant if truth of its label fills `detection` of it, else it is a false alarm. Truth
    is found if relevant events fill `truth` of it. A false alarm of which another label's truth fills
    `cross_trigger` is a cross trigger, too; None: those are not looked at.
    """

    detection: float
    truth: float
    cross_trigger: float | None = None


# DCASE task 4's intersection F1; its cttc of 0.3 is named beside it but changes no F1
INTERSECTION_F1 = Tolerances(detection=0.5, truth=0.5)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Counts per group of events: `hits` and `false_alarms` (G,), `cross_triggers` (G, others)."""

    hits: NDArray[np.intp]
    false_alarms: NDArray[np.intp]
    cross_triggers: NDArray[np.intp]


def intersection_counts(
    found: Intervals, truth: Intervals, tolerances: Tolerances = INTERSECTION_F1
) -> Counts:
    """Hits (truth found), false alarms and misses of one label in one file."""
    group = np.zeros(len(found), np.intp)
    judged = judge(found, group, 1, truth, (), tolerances)
    hits = int(judged.hits[0])
    return Counts(hits, int(judged.false_alarms[0]), len(truth) - hits)


def judge(
    found: Intervals,
    group: NDArray[np.intp],
    groups: int,
    truth: Intervals,
    others: Sequence[Intervals],
    tolerances: Tolerances,
) -> Judgement:
    """Judge several groups of events (found at several thresholds, say) of one label in one file.

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
    return Judgement(
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
