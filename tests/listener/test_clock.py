"""The system clock beside the monotonic one."""

from __future__ import annotations

import time

import pytest

from listener.clock import STEP_SECONDS, ClockWatch, unix_minus_monotonic


def test_the_two_clocks_differ_by_what_is_given() -> None:
    assert time.monotonic() + unix_minus_monotonic() == pytest.approx(time.time(), abs=1.0)


@pytest.mark.parametrize("step", [3600.0, -7200.0, 0.6])
def test_a_step_is_noticed_once(monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    now = time.time
    watch = ClockWatch()
    assert watch.step_seconds() == 0.0
    monkeypatch.setattr(time, "time", lambda: now() + step)
    assert watch.step_seconds() == pytest.approx(step, abs=0.1)
    assert watch.step_seconds() == 0.0


def test_a_clock_that_is_moved_little_by_little_has_not_stepped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time
    watch = ClockWatch()
    for slewed in range(1, 11):
        monkeypatch.setattr(time, "time", lambda by=slewed: now() + by * STEP_SECONDS / 2)
        assert watch.step_seconds() == 0.0
