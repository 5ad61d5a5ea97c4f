import numpy as np
import pytest

from listener.sources.clock import LET_UP, HoleFinder, SampleClock

RATE = 1000


def test_constant_lateness_gives_exact_times():
    clock = SampleClock(RATE)
    for second in range(1, 11):
        assert clock.observe(second * RATE, 500.0 + second) == pytest.approx(0.0, abs=1e-9)
    assert clock.time_of(0) == pytest.approx(500.0)
    assert clock.time_of(2500) == pytest.approx(502.5)


def test_jitter_does_not_move_the_clock_by_more_than_the_let_up_between_punctual_blocks():
    clock = SampleClock(RATE)
    jitter = np.random.default_rng(0).uniform(0.0, 0.5, 2000)
    jitter[::10] = 0.0
    for block, late in enumerate(jitter, start=1):
        clock.observe(block * 100, 100.0 + block * 0.1 + late)
        if block > 1:
            assert 100.0 <= clock.time_of(0) <= 100.0 + 10 * 0.1 * LET_UP + 1e-9


def test_the_first_block_being_late_is_corrected_by_the_next_punctual_one():
    clock = SampleClock(RATE)
    clock.observe(RATE, 103.0)  # 2 s late
    clock.observe(2 * RATE, 102.0)
    assert clock.time_of(0) == pytest.approx(100.0)


def test_a_burst_at_the_beginning_lies_in_the_past():
    clock = SampleClock(RATE)
    for second in range(1, 11):
        clock.observe(second * RATE, 100.0)  # ten seconds at once
    assert clock.time_of(10 * RATE) == pytest.approx(100.0)
    assert clock.time_of(0) == pytest.approx(90.0)


@pytest.mark.parametrize("drift", [50e-6, -50e-6])
def test_a_drifting_card_is_followed_for_a_day(drift):
    """At 50 ppm an unfollowed clock would be 4.3 s off by the evening."""
    clock = SampleClock(16_000)
    jitter = np.random.default_rng(1).uniform(0.0, 0.05, 86_400)
    for second, late in enumerate(jitter, start=1):
        captured = second * (1.0 + drift)
        clock.observe(second * 16_000, captured + late)
        if second > 600:
            assert abs(clock.time_of(second * 16_000) - captured) < 0.03


def test_lateness_is_what_an_arrival_lags_behind_the_clock():
    clock = SampleClock(RATE)
    clock.observe(RATE, 101.0)
    assert clock.observe(2 * RATE, 102.3) == pytest.approx(0.3, abs=LET_UP * 1.1)


def test_a_clock_without_an_observation_has_no_time():
    with pytest.raises(ValueError, match="expected an observation"):
        SampleClock(RATE).time_of(0)


def test_late_audio_that_catches_up_is_not_a_hole():
    holes = HoleFinder(hole_seconds=0.2, window_seconds=1.0)
    lateness = [0.0] * 20 + [2.0, 1.5, 1.0, 0.5] + [0.0] * 40
    assert not any(holes.missing(late, 0.1 * n) for n, late in enumerate(lateness))


def test_lasting_lateness_is_missing_audio_found_once():
    holes = HoleFinder(hole_seconds=0.2, window_seconds=1.0)
    found, missing = [], 0.0
    for number in range(100):
        late = (2.0 if number >= 30 else 0.0) + 0.01 * (number % 3) - missing
        missing += holes.missing(late, 0.1 * number)
        found.append(missing)
    assert found[30] == 0.0
    assert found[60] == found[-1] == pytest.approx(2.0, abs=0.02)


def test_lateness_below_the_limit_is_no_hole():
    holes = HoleFinder(hole_seconds=0.2, window_seconds=1.0)
    assert not any(holes.missing(0.19, 0.1 * n) for n in range(100))
