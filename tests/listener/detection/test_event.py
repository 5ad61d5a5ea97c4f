"""SoundEvent and its id."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.detection.event import SoundEvent, event_id

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
EVENT = SoundEvent("", "hall", "dog", 10.0, None, 0.9, 0.8, -20.0, "yamnet@1")


def milliseconds_in(ulid: str) -> int:
    return sum(32**k * CROCKFORD.index(digit) for k, digit in enumerate(reversed(ulid[:10])))


def test_an_event_that_lasts_has_no_duration():
    assert EVENT.seconds is None
    assert replace(EVENT, offset=12.5).seconds == 2.5


def test_an_id_is_a_ulid():
    assert re.fullmatch(f"[{CROCKFORD}]{{26}}", event_id("farm", "hall", "dog", 1.8e9))


def test_its_first_ten_characters_are_the_time():
    # the time of the ULID specification's own example, 01ARYZ6S41TSV4RRFFQ69G5FAV
    assert event_id("", "", "", 1_469_918_176.385).startswith("01ARYZ6S41")
    assert event_id("", "", "", 0.0).startswith("0000000000")


def test_the_same_event_has_the_same_id():
    assert event_id("farm", "hall", "dog", 7.5) == event_id("farm", "hall", "dog", 7.5)


@pytest.mark.parametrize(
    "other",
    [
        ("barn", "hall", "dog", 7.5),
        ("farm", "shed", "dog", 7.5),
        ("farm", "hall", "cat", 7.5),
        ("farm", "hall", "dog", 7.98),
        ("farmhall", "", "dog", 7.5),  # the parts are kept apart
    ],
)
def test_another_event_has_another_id(other: tuple[str, str, str, float]):
    assert event_id("farm", "hall", "dog", 7.5) != event_id(*other)


@given(st.integers(0, 2**40), st.floats(-1e-9, 1e-9))
def test_rounding_errors_in_a_time_do_not_change_the_id(milliseconds: int, error: float):
    """An onset is a sum of seconds, whose last bits depend on how the stream was cut."""
    onset = (milliseconds % 100_000_000 + 0.5) / 1000  # in the middle between two milliseconds
    assert event_id("farm", "hall", "dog", onset + error) == event_id("farm", "hall", "dog", onset)


@given(st.integers(0, 2**41), st.integers(1, 10**9))
def test_ids_sort_by_time(milliseconds: int, later: int):
    first = event_id("", "hall", "dog", milliseconds / 1000)
    second = event_id("", "hall", "dog", (milliseconds + later) / 1000)
    assert first < second
    assert milliseconds_in(second) - milliseconds_in(first) == later
