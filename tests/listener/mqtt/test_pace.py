"""A burst goes at once, then so many messages a second."""

from __future__ import annotations

import pytest

from listener.mqtt.pace import Pace, Paces


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def sent_within(pace: Pace, clock: Clock, seconds: float) -> int:
    count, end = 0, clock.now + seconds
    while (wait := pace.wait_seconds) + clock.now <= end:
        clock.now += wait
        pace.take()
        count += 1
    clock.now = end
    return count


def test_a_burst_and_then_the_rate():
    clock = Clock()
    pace = Pace(200.0, 100, clock)
    assert sent_within(pace, clock, 0.0) == 100
    assert sent_within(pace, clock, 10.0) == pytest.approx(2000, abs=1)


def test_what_is_slower_than_the_rate_never_waits():
    clock = Clock()
    pace = Pace(200.0, 100, clock)
    for _ in range(1000):
        clock.now += 0.01
        assert pace.wait_seconds == 0.0
        pace.take()


def test_a_rest_saves_no_more_than_a_burst():
    clock = Clock()
    pace = Pace(200.0, 100, clock)
    clock.now += 3600.0
    assert sent_within(pace, clock, 0.0) == 100


def test_states_alone_are_faster_than_with_events():
    paces = Paces()
    alone, together = paces.now(has_events=False), paces.now(has_events=True)
    assert sum(_goes_at_once(alone) for _ in range(521)) == 521  # all labels of YAMNet
    assert sum(_goes_at_once(together) for _ in range(521)) < 300


def _goes_at_once(pace: Pace) -> bool:
    if pace.wait_seconds:
        return False
    pace.take()
    return True
