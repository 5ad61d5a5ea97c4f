"""The folds of a measurement are apart from one another."""

from __future__ import annotations

import pytest

from benchmarks.learning.new_class import Folds


@pytest.mark.parametrize(
    ("tested", "taught"),
    [(1, (2, 3, 4)), (2, (3, 4, 5)), (3, (1, 4, 5)), (4, (1, 2, 5)), (5, (1, 2, 3))],
)
def test_the_three_folds_after_the_tested_one_are_taught(tested: int, taught: tuple[int, ...]):
    assert Folds(tested).taught == taught
