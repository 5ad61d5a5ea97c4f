"""Change points, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.events.change_points import ChangePoints, box_scores

PLAIN = ChangePoints(step_slots=2, merge_drop=0.0, merge_share=1.0)


def column(digits: str):
    """Scores in tenths, one digit a slot."""
    return np.array([int(digit) / 10 for digit in digits], np.float32)


def boxes(digits: str, how: ChangePoints = PLAIN) -> list[float]:
    return [round(float(score), 3) for score in box_scores(column(digits), how)]


def test_a_box_from_where_scores_rise_to_where_they_fall():
    assert boxes("0000888800000") == pytest.approx([0] * 4 + [0.8] * 4 + [0] * 5)


def test_the_threshold_moves_no_edge():
    """The flank of a blurred box lies in its middle, whatever the threshold."""
    values = boxes("00000248888884200000")
    assert values.index(max(values)) == 6
    assert len([value for value in values if value]) == 8


def test_edges_at_the_ends_of_the_file():
    assert boxes("88880000") == pytest.approx([0.8] * 4 + [0] * 4)
    assert boxes("00008888") == pytest.approx([0] * 4 + [0.8] * 4)


def test_a_shallow_gap_is_bridged_and_a_deep_one_is_not():
    digits = "00008888" + "6666" + "88880000"
    assert len({value for value in boxes(digits) if value}) == 1
    parted = boxes(digits)
    assert parted[8] == 0.0
    together = boxes(digits, ChangePoints(2, merge_drop=0.25, merge_share=1.0))
    assert together[4:16] == pytest.approx([(8 * 0.8 + 4 * 0.6) / 12] * 12, abs=1e-3)
    shared = boxes(digits, ChangePoints(2, merge_drop=0.0, merge_share=0.7))
    assert shared == together


def test_nothing_gives_nothing():
    assert boxes("00000") == [0] * 5
    assert box_scores(column(""), PLAIN).tolist() == []
