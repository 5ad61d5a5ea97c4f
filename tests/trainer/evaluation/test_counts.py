"""Rates of counts, and what is not known."""

from __future__ import annotations

import pytest

from trainer.evaluation.counts import Counts, mean_known, sum_counts


def test_rates_by_hand():
    counts = Counts(hits=6, false_alarms=2, misses=4)
    assert (counts.precision, counts.recall) == (0.75, 0.6)
    assert counts.f1 == pytest.approx(2 * 0.75 * 0.6 / 1.35)


def test_what_cannot_be_known_is_none():
    assert (Counts().precision, Counts().recall, Counts().f1) == (None, None, None)
    assert Counts(misses=3).f1 == 0.0
    assert Counts(misses=3).precision is None


def test_counts_add_up():
    assert sum_counts([Counts(1, 2, 3), Counts(10, 20, 30)]) == Counts(11, 22, 33)
    assert sum_counts([]) == Counts()


def test_the_mean_leaves_out_what_is_not_known():
    assert mean_known([0.5, None, 1.0]) == 0.75
    assert mean_known([None]) is None
