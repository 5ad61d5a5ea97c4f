"""A fleet costs what its stations cost."""

from __future__ import annotations

import pytest

from benchmarks.fleet.arithmetic import Fleet, Habits, bytes_per_day, connect_bytes
from benchmarks.fleet.wire import StationCost

COST = StationCost(connect=500, source=40, label=50, event=800, level=100, ping=4)


def test_retained_topics_are_the_stations_and_for_each_source_its_status_and_labels():
    assert Habits(1, 5, 0, None).retained == 2 + 1 + 5
    assert Habits(3, 10, 0, None).retained == 2 + 3 * 11


def test_messages_of_a_day():
    assert Habits(1, 5, 40, None).messages_per_day == 160
    assert Habits(2, 5, 40, 2.0).messages_per_day == 160 + 2 * 43_200


def test_a_connection_carries_all_that_is_retained():
    assert connect_bytes(Habits(1, 0, 0, None), COST) == 500
    assert connect_bytes(Habits(3, 10, 0, None), COST) == 500 + 2 * 40 + 30 * 50


def test_a_quiet_station_pings_four_times_a_minute_and_one_with_levels_never():
    assert bytes_per_day(Habits(1, 0, 0, None), COST) == 500 + 5760 * 4
    assert bytes_per_day(Habits(1, 0, 0, 60.0), COST) == 500 + 5760 * 4 + 1440 * 100
    assert bytes_per_day(Habits(1, 0, 0, 1.0), COST) == 500 + 86_400 * 100


def test_events_cost_what_one_costs():
    quiet, heard = (bytes_per_day(Habits(1, 5, n, None), COST) for n in (0, 40))
    assert heard - quiet == 40 * 800


def test_a_fleet_is_as_many_stations():
    fleet = Fleet(10_000, Habits(1, 5, 54, None), COST)
    assert fleet.messages_per_second == pytest.approx(10_000 * 216 / 86_400)  # 25
    assert fleet.bytes_per_second == pytest.approx(10_000 * (750 + 23_040 + 43_200) / 86_400)
    assert fleet.retained == 80_000
    assert fleet.connects_per_second == pytest.approx(10_000 / 7.5)
