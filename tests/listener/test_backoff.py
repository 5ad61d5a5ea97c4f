"""The wait before the next connection doubles, has jitter, and starts anew after one that stood."""

from __future__ import annotations

from random import Random

from listener.backoff import Backoff


def test_it_doubles_up_to_a_quarter_of_a_minute_with_jitter():
    rest = Backoff(Random(1))
    waits = [rest.seconds() for _ in range(7)]
    for wait, limit in zip(waits, (1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0), strict=True):
        assert limit / 2 <= wait <= limit
    assert len({*waits[4:]}) == 3  # not the same for every station


def test_a_connection_that_stood_starts_it_anew_and_a_short_one_does_not():
    rest = Backoff(Random(1))
    for _ in range(5):
        rest.seconds()
    rest.note_stood(0.5)
    assert rest.seconds() >= 7.5
    rest.note_stood(60.0)
    assert rest.seconds() <= 1.0


def test_who_took_over_is_left_in_peace_for_a_while():
    assert Backoff(Random(1)).seconds(taken_over=True) >= 30.0
