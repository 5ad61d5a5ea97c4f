"""The sizes of a series differ only in what the series is over."""

from __future__ import annotations

import pytest

from benchmarks.growth import SERIES, Series
from benchmarks.station_size import StationSize

READ = {
    "sources": lambda size: size.sources,
    "labels": lambda size: size.labels,
    "patches a second": lambda size: 1 / size.hop_seconds,
}


@pytest.mark.parametrize("series", SERIES, ids=lambda series: series.over)
def test_an_amount_is_that_of_its_size(series: Series):
    assert [READ[series.over](size) for size in series.sizes] == list(series.amounts)


@pytest.mark.parametrize("series", SERIES, ids=lambda series: series.over)
def test_all_else_is_the_same(series: Series):
    others = [read for over, read in READ.items() if over != series.over]
    assert len({tuple(read(size) for read in others) for size in series.sizes}) == 1


def test_a_size_that_two_series_share_is_measured_once():
    assert StationSize(64, 10) in set.intersection(*(set(series.sizes) for series in SERIES))
