"""Growth is what the last quarter has more than the first, after a warm-up."""

from __future__ import annotations

import pytest

from benchmarks.soak.vitals import Vitals, growth


def course(rss: list[int], descriptors: list[int]) -> list[Vitals]:
    return [Vitals(i, r, d, 5) for i, (r, d) in enumerate(zip(rss, descriptors, strict=True))]


def test_the_warm_up_does_not_count():
    grown = growth(course([1, 50] + [100] * 8, [1, 2] + [9] * 8))
    assert (grown.rss, grown.descriptors, grown.threads) == (0, 0, 0)


def test_growth_of_memory_is_a_share_and_of_descriptors_a_count():
    grown = growth(course([0, 0, 100, 100, 1, 1, 1, 1, 110, 110], [0, 0, 9, 9, 1, 1, 1, 1, 12, 13]))
    assert grown.rss == pytest.approx(0.1)
    assert grown.descriptors == 3


def test_what_is_open_for_a_moment_is_no_growth():
    grown = growth(course([1] * 10, [0, 0, 9, 9, 1, 1, 1, 1, 12, 9]))
    assert grown.descriptors == 0


def test_a_course_may_be_too_short():
    with pytest.raises(ValueError, match="expected at least 5 values, got 4"):
        growth(course([1] * 4, [1] * 4))
