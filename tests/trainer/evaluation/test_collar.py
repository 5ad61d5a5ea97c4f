"""Collars and pairs, by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.evaluation.collar import collar_counts, count_pairs
from trainer.evaluation.counts import Counts


def intervals(*pairs: tuple[float, float]):
    return np.array(pairs, np.float64).reshape(-1, 2)


@pytest.mark.parametrize(
    ("found", "hit"),
    [
        ((10.0, 12.0), True),
        ((10.5, 12.5), True),  # on the collar is within it
        ((10.51, 12.0), False),
        ((9.49, 12.0), False),
        ((10.0, 12.51), False),
        ((10.0, 11.49), False),
    ],
)
def test_onset_and_offset_must_be_within_the_collar(found: tuple[float, float], hit: bool):
    wanted = Counts(1, 0, 0) if hit else Counts(0, 1, 1)
    assert collar_counts(intervals(found), intervals((10.0, 12.0)), 0.5) == wanted


def test_the_offset_of_a_long_sound_may_be_off_by_a_fifth_of_its_length():
    truth = intervals((0.0, 10.0))
    assert collar_counts(intervals((0.0, 12.0)), truth, 0.5) == Counts(1, 0, 0)
    assert collar_counts(intervals((0.0, 12.01)), truth, 0.5) == Counts(0, 1, 1)
    assert collar_counts(intervals((0.51, 10.0)), truth, 0.5) == Counts(0, 1, 1)


def test_truth_is_found_once():
    twice = intervals((0.0, 1.0), (0.1, 1.1))
    assert collar_counts(twice, intervals((0.0, 1.0)), 0.5) == Counts(1, 1, 0)
    assert collar_counts(intervals((0.0, 1.0)), twice, 0.5) == Counts(1, 0, 1)


def test_nothing_found_and_nothing_there():
    nothing = intervals()
    assert collar_counts(nothing, nothing, 0.5) == Counts()
    assert collar_counts(nothing, intervals((0.0, 1.0)), 0.5) == Counts(0, 0, 1)
    assert collar_counts(intervals((0.0, 1.0)), nothing, 0.5) == Counts(0, 1, 0)


def test_the_first_makes_room_for_the_second():
    # taking the first that fits would leave the second row without
    assert count_pairs(np.array([[True, True], [True, False]])) == 2


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=1, max_size=4)
    )
)
def test_pairs_are_as_many_as_trying_everything_gives(rows: list[list[bool]]):
    possible = np.array(rows)
    wide = np.pad(possible, ((0, 0), (0, len(possible))))  # room for rows without a pair
    most = max(
        sum(bool(wide[row, column]) for row, column in enumerate(order))
        for order in permutations(range(wide.shape[1]), len(wide))
    )
    assert count_pairs(possible) == most
