import pytest

from listener.sources.pace import REFILL, Pace


def test_the_lead_passes_at_once_and_the_rest_waits():
    pace = Pace(lead_seconds=10.0)
    for _ in range(10):
        assert pace.wait_seconds(now=5.0) == 0.0
        pace.take(1.0, now=5.0)
    pace.take(1.0, now=5.0)
    assert pace.wait_seconds(now=5.0) == pytest.approx(1.0 / REFILL)


def test_a_recording_is_let_through_at_the_speed_of_time():
    pace, now = Pace(lead_seconds=10.0), 0.0
    for _ in range(1000):
        now += pace.wait_seconds(now)
        pace.take(1.0, now)
    assert now == pytest.approx((1000 - 1 - 10) / REFILL)


def test_a_live_server_with_a_fast_clock_is_never_held_back():
    pace = Pace(lead_seconds=10.0)
    for second in range(1, 100_000):
        assert pace.wait_seconds(now=second) == 0.0
        pace.take(1.0 + 200e-6, now=second)


def test_waiting_earns_no_more_than_the_lead():
    pace = Pace(lead_seconds=2.0)
    pace.take(0.0, now=0.0)
    pace.take(3.0, now=1000.0)
    assert pace.wait_seconds(now=1000.0) == pytest.approx(1.0 / REFILL)
