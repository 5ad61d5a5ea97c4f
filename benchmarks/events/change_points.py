"""Change points: another way from scores to events, which the daemon does not have.

Sound event bounding boxes, written from J. Ebbers et al., "Sound Event Bounding Boxes", Interspeech 2024
(arXiv 2406.04212): where an event begins and ends follows from steps in the scores, and the threshold
decides only whether it counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ChangePoints:
    """How steps in the scores become boxes.

    `step_slots` on either side are compared to find where scores rise and fall. Two boxes become one
    where the score between them is at most `merge_drop` below the higher of them, or at least
    `merge_share` of it.
    """

    step_slots: int = 4
    merge_drop: float = 0.15
    merge_share: float = 0.67


@dataclass(slots=True)
class _Box:
    """Slots [first, last) and their mean score."""

    first: int
    last: int
    score: float


def box_scores(scores: Column, how: ChangePoints) -> Column:
    """Scores (T,) of one label -> (T,): the box's score in every slot of a box, 0 between boxes."""
    if not len(scores):
        return scores
    boxed = np.zeros_like(scores)
    for box in _merge(_find_boxes(scores, how.step_slots), scores, how):
        boxed[box.first : box.last] = box.score
    return boxed


def _find_boxes(scores: Column, step_slots: int) -> list[_Box]:
    """From each place where the scores rise most to the next where they fall most."""
    steps = _steps(scores, step_slots)
    rises = _peaks(steps)
    falls = len(scores) - _peaks(-steps[::-1])[::-1]  # of equal falls the last, of rises the first
    turns = sorted([*rises.tolist(), *falls.tolist()])
    # between two falls only the highest rise counts, and the other way round
    highest = [
        max(group, key=lambda place: abs(steps[place]))
        for _, group in groupby(turns, key=lambda place: steps[place] > 0)
    ]
    return [
        _Box(first, last, float(scores[first:last].mean()))
        for first, last in pairwise(highest)
        if steps[first] > 0
    ]


def _steps(scores: Column, length: int) -> NDArray[np.float64]:
    """Mean of the `length` slots from each boundary on less the mean of those before, (T + 1,)."""
    padded = np.pad(scores.astype(np.float64), length)
    sums = np.cumsum(np.pad(padded, (1, 0)))
    middle = np.arange(len(scores) + 1) + length
    after = sums[middle + length] - sums[middle]
    before = sums[middle] - sums[middle - length]
    return (after - before) / length


def _peaks(steps: NDArray[np.float64]) -> NDArray[np.intp]:
    """Where steps are positive and higher than on the left, at least as high as on the right."""
    left = np.concatenate(([-np.inf], steps[:-1]))
    right = np.concatenate((steps[1:], [-np.inf]))
    return np.flatnonzero((steps > 0) & (steps > left) & (steps >= right))


def _merge(boxes: list[_Box], scores: Column, how: ChangePoints) -> list[_Box]:
    """Join neighbours, the shallowest gap first, until every gap is deep."""
    boxes = list(boxes)
    while len(boxes) > 1:
        drops = [_drop(a, b, scores, how) for a, b in pairwise(boxes)]
        place = int(np.argmin(drops))
        if drops[place] > 0:
            break
        first, last = boxes[place].first, boxes[place + 1].last
        boxes[place : place + 2] = [_Box(first, last, float(scores[first:last].mean()))]
    return boxes


def _drop(left: _Box, right: _Box, scores: Column, how: ChangePoints) -> float:
    """How far the gap is deeper than what is bridged; at most 0 where it is."""
    gap = scores[left.last : right.first]
    between = float(gap.mean()) if len(gap) else min(left.score, right.score)
    higher = max(left.score, right.score)
    return min(higher - between - how.merge_drop, higher * how.merge_share - between)
