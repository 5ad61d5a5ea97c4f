"""A clock is trusted with what cannot be undone once it has run for an hour without being set."""

from __future__ import annotations

import pytest

from listener.clock import SETTLE_SECONDS, SettledClock

START, DAY_SECONDS = 1_000_000.0, 86_400.0


class Bench:
    """A settled clock over two clocks of the test."""

    def __init__(self) -> None:
        self.uptime, self.step = 50.0, 0.0
        self.clock = SettledClock(lambda: START + self.uptime + self.step, lambda: self.uptime)

    def passes(self, seconds: float) -> float | None:
        self.uptime += seconds
        return self.clock.read()


def test_it_is_settled_an_hour_after_the_start():
    bench = Bench()
    assert bench.passes(SETTLE_SECONDS - 1.0) is None
    assert bench.passes(1.0) == START + bench.uptime


@pytest.mark.parametrize("days", [400.0, -365.0, 0.01])
def test_after_a_step_it_is_settled_again_an_hour_later(days: float):
    bench = Bench()
    bench.passes(2 * SETTLE_SECONDS)
    bench.step = days * DAY_SECONDS
    assert bench.passes(1.0) is None
    assert bench.passes(SETTLE_SECONDS - 1.0) is None
    assert bench.passes(1.0) == START + bench.uptime + bench.step


def test_a_step_that_is_taken_back_costs_an_hour_and_nothing_else():
    bench = Bench()
    bench.passes(2 * SETTLE_SECONDS)
    bench.step = 400 * DAY_SECONDS
    assert bench.passes(12.0) is None
    bench.step = 0.0
    assert bench.passes(13.0) is None
    assert bench.passes(SETTLE_SECONDS) == START + bench.uptime


def test_a_clock_that_is_slewed_stays_settled():
    bench = Bench()
    bench.passes(2 * SETTLE_SECONDS)
    for _ in range(100):
        bench.step += 5.0
        assert bench.passes(60.0) is not None
