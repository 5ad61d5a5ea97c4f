"""What arrived is compared with what was sent."""

from __future__ import annotations

import json

import pytest

from benchmarks.fleet.outcome import Arrival, judge, number_of
from listener.files import iso_utc

AT = 1_795_144_327.25


def arrival(number: int, at: float = AT + 0.5, station: str = "farm") -> Arrival:
    """Message `number` of a station, of an event that started or ended at AT."""
    ends = number % 2 == 1
    document = {
        "station": station,
        "id": f"{number // 2:026d}",
        "phase": "end" if ends else "start",
        "onset": iso_utc(AT - 4.0 if ends else AT),
        "offset": iso_utc(AT) if ends else None,
    }
    return Arrival("earshot/farm/hall/event", json.dumps(document).encode(), at)


def test_all_that_came_once_and_in_order_is_well():
    outcome = judge([arrival(number) for number in range(4)], {"farm": range(4)})
    assert (outcome.sent, outcome.lost, outcome.out_of_order, outcome.again) == (4, 0, 0, 0)
    assert outcome.latencies == pytest.approx([0.5] * 4)
    assert outcome.last_at == AT + 0.5


def test_what_never_came_is_lost_by_station():
    came = [arrival(0), arrival(1), arrival(0, station="barn")]
    outcome = judge(came, {"farm": range(3), "barn": range(3), "yard": range(1)})
    assert (outcome.sent, outcome.lost) == (7, 4)


def test_what_came_after_a_later_one_is_out_of_order_unless_it_came_before():
    came = [arrival(0), arrival(2), arrival(1), arrival(3), arrival(2), arrival(0)]
    outcome = judge(came, {"farm": range(4)})
    assert (outcome.lost, outcome.out_of_order, outcome.again) == (0, 1, 2)


def test_the_first_arrival_counts_for_the_latency():
    outcome = judge([arrival(0, AT + 0.25), arrival(0, AT + 9.0)], {"farm": range(1)})
    assert outcome.latencies == pytest.approx([0.25])


def test_what_was_sent_before_came_again():
    outcome = judge([arrival(6), arrival(2), arrival(7)], {"farm": range(6, 8)})
    assert (outcome.lost, outcome.out_of_order, outcome.again) == (0, 0, 1)


def test_numbers_are_even_where_an_event_starts():
    assert [number_of(json.loads(arrival(n).payload)) for n in (0, 1, 2, 41)] == [0, 1, 2, 41]
