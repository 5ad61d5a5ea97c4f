""""""

import logging
import threading
from itertools import pairwise

import numpy as np
import pytest

from listener.detection.audio import Samples
from listener.sources.live import (
    LEAD_SECONDS,
    LET_UP,
    REFILL,
    HoleFinder,
    Intake,
    LiveBuffer,
    RealTimePace,
    SampleClock,
)
from listener.sources.source import SourceError

RATE = 100
UNIX = 1_700_000_000.0
RATE_CLOCK = 1000
RATE_INTAKE = 1000


def ramp(start: int, count: int) -> Samples:
    return np.arange(start, start + count, dtype=np.float32)


@pytest.fixture
def live():
    return LiveBuffer("hall", RATE, HoleFinder(0.2, 1.0), unix_offset=lambda: UNIX)


def test_chunks_are_cut_from_blocks_and_carry_unix_time(live):
    live.append(ramp(0, 70), now=10.7)
    live.append(ramp(70, 50), now=11.2)
    first, second = live.take(1.0), live.take(1.0)
    assert (first.source, first.start, first.sample_rate_hz) == ("hall", 0, RATE)
    np.testing.assert_array_equal(first.samples, ramp(0, 100))
    np.testing.assert_array_equal(second.samples, ramp(100, 20))
    assert first.captured_at == pytest.approx(UNIX + 10.0, abs=1e-3)
    assert second.captured_at == pytest.approx(UNIX + 11.0, abs=1e-3)
    assert live.seconds == 0.0


def test_an_empty_buffer_gives_an_empty_chunk_where_the_next_will_start(live):
    assert len(live.take(1.0).samples) == 0
    live.append(ramp(0, 30), now=10.3)
    live.take(1.0)
    empty = live.take(1.0)
    assert (empty.start, len(empty.samples)) == (30, 0)


def test_no_chunk_spans_a_known_hole(live):
    live.append(ramp(0, 30), now=10.3)
    live.skip(50)
    live.append(ramp(0, 20), now=11.0)
    before, after = live.take(1.0), live.take(1.0)
    assert (before.start, len(before.samples)) == (0, 30)
    assert (after.start, len(after.samples)) == (80, 20)
    assert after.captured_at == pytest.approx(UNIX + 10.8, abs=1e-3)


def test_samples_that_never_came_are_found_told_and_skipped(live, caplog):
    """Three seconds go missing after the fifth; the times that follow are right again."""
    with caplog.at_level(logging.WARNING):
        for block in range(1, 101):
            hole = 3.0 if block > 50 else 0.0
            live.append(ramp(0, 10), now=100.0 + block * 0.1 + hole)
    chunks = []
    while live.seconds:
        chunks.append(live.take(0.1))
    starts = [chunk.start for chunk in chunks]
    assert live.holes_found == 1
    assert [record.message for record in caplog.records] == [
        "source hall: 3.0 s of audio are missing"
    ]
    assert starts[-1] == pytest.approx(100 * 10 - 10 + 3 * RATE, abs=1)
    assert chunks[-1].ended_at == pytest.approx(UNIX + 113.0, abs=0.02)


def test_one_sample_at_least_is_handed_over(live):
    live.append(ramp(0, 3), now=10.0)
    assert len(live.take(0.0).samples) == 1


def test_a_device_that_gives_too_little_is_known_by_what_it_lacks(live):
    """Nine samples come where ten are due, for a minute: six seconds never came."""
    arrived = 0
    for block in range(1, 601):
        live.append(ramp(0, 9), now=100.0 + block * 0.1)
        arrived += 9
    last = live.take(1e6)
    while live.seconds:
        last = live.take(1e6)
    assert arrived == 5_400
    # found a window later, and never less than the smallest hole
    assert 100 * 60 - last.end < 0.5 * RATE
    assert last.ended_at == pytest.approx(UNIX + 160.0, abs=0.5)
    assert live.holes_found > 10


def test_a_step_of_the_system_clock_moves_the_next_chunk_and_no_count():
    now = [UNIX]
    live = LiveBuffer("hall", RATE, HoleFinder(0.2, 1.0), unix_offset=lambda: now[0])
    live.append(ramp(0, 100), now=11.0)
    first = live.take(0.5)
    now[0] += 3600.0
    second = live.take(0.5)
    assert (first.end, second.start) == (50, 50)
    assert second.captured_at == pytest.approx(first.ended_at + 3600.0)
    assert live.holes_found == 0


def test_constant_lateness_gives_exact_times():
    clock = SampleClock(RATE_CLOCK)
    for second in range(1, 11):
        assert clock.observe(second * RATE_CLOCK, 500.0 + second) == pytest.approx(0.0, abs=1e-9)
    assert clock.time_of(0) == pytest.approx(500.0)
    assert clock.time_of(2500) == pytest.approx(502.5)


def test_jitter_does_not_move_the_clock_by_more_than_the_let_up_between_punctual_blocks():
    clock = SampleClock(RATE_CLOCK)
    jitter = np.random.default_rng(0).uniform(0.0, 0.5, 2000)
    jitter[::10] = 0.0
    for block, late in enumerate(jitter, start=1):
        clock.observe(block * 100, 100.0 + block * 0.1 + late)
        if block > 1:
            assert 100.0 <= clock.time_of(0) <= 100.0 + 10 * 0.1 * LET_UP + 1e-9


def test_the_first_block_being_late_is_corrected_by_the_next_punctual_one():
    clock = SampleClock(RATE_CLOCK)
    clock.observe(RATE_CLOCK, 103.0)  # 2 s late
    clock.observe(2 * RATE_CLOCK, 102.0)
    assert clock.time_of(0) == pytest.approx(100.0)


def test_a_burst_at_the_beginning_lies_in_the_past():
    clock = SampleClock(RATE_CLOCK)
    for second in range(1, 11):
        clock.observe(second * RATE_CLOCK, 100.0)  # ten seconds at once
    assert clock.time_of(10 * RATE_CLOCK) == pytest.approx(100.0)
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
    clock = SampleClock(RATE_CLOCK)
    clock.observe(RATE_CLOCK, 101.0)
    assert clock.observe(2 * RATE_CLOCK, 102.3) == pytest.approx(0.3, abs=LET_UP * 1.1)


def test_a_clock_without_an_observation_has_no_time():
    with pytest.raises(ValueError, match="expected an observation"):
        SampleClock(RATE_CLOCK).time_of(0)


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


def make_intake() -> Intake:
    return Intake(LiveBuffer("s", RATE_INTAKE, HoleFinder(10.0, 10.0)))


def test_an_opening_burst_is_taken_whole_and_its_times_are_one_line():
    intake, blocks = make_intake(), iter(range(8))

    def receive(_deadline):
        if next(blocks, None) is None:
            return False
        intake.push(np.ones(RATE_INTAKE, np.float32), RATE_INTAKE)
        return True

    chunks = [chunk for _ in range(8) if (chunk := intake.read(1.0, receive))]
    assert [len(chunk.samples) for chunk in chunks] == [RATE_INTAKE] * 8
    for before, after in pairwise(chunks):
        assert abs(after.captured_at - before.ended_at) < 0.05
    assert next(blocks, None) is None


def test_a_recording_is_not_swallowed_beyond_the_lead():
    intake, received = make_intake(), []

    def receive(_deadline):
        received.append(1)
        intake.push(np.ones(RATE_INTAKE, np.float32), RATE_INTAKE)
        return True

    intake.read(0.5, receive)
    assert len(received) == LEAD_SECONDS + 1


def test_an_idle_source_gives_an_empty_chunk():
    chunk = make_intake().read(0.5, lambda _deadline: False)
    assert chunk is not None
    assert len(chunk.samples) == 0


def test_close_ends_a_wait_for_the_speed_of_time():
    intake = make_intake()

    def receive(_deadline):
        intake.push(np.ones(60 * RATE_INTAKE, np.float32), RATE_INTAKE)  # a minute ahead
        return True

    intake.read(60.0, receive)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(intake.read(1.0, receive)))
    thread.start()
    intake.close()
    thread.join(10)
    assert answers == [None]


def test_a_loss_comes_after_what_was_heard_before_it():
    intake, blocks = make_intake(), iter(range(3))

    def receive(_deadline):
        if next(blocks, None) is None:
            raise SourceError("cut")
        intake.push(np.ones(RATE_INTAKE, np.float32), RATE_INTAKE)
        return True

    chunks = [chunk for _ in range(3) if (chunk := intake.read(1.0, receive))]
    assert [chunk.end for chunk in chunks] == [RATE_INTAKE, 2 * RATE_INTAKE, 3 * RATE_INTAKE]
    for _ in range(2):
        with pytest.raises(SourceError, match="cut"):
            intake.read(1.0, receive)


def test_the_lead_passes_at_once_and_the_rest_waits():
    pace = RealTimePace(lead_seconds=10.0)
    for _ in range(10):
        assert pace.wait_seconds(now=5.0) == 0.0
        pace.take(1.0, now=5.0)
    pace.take(1.0, now=5.0)
    assert pace.wait_seconds(now=5.0) == pytest.approx(1.0 / REFILL)


def test_a_recording_is_let_through_at_the_speed_of_time():
    pace, now = RealTimePace(lead_seconds=10.0), 0.0
    for _ in range(1000):
        now += pace.wait_seconds(now)
        pace.take(1.0, now)
    assert now == pytest.approx((1000 - 1 - 10) / REFILL)


def test_a_live_server_with_a_fast_clock_is_never_held_back():
    pace = RealTimePace(lead_seconds=10.0)
    for second in range(1, 100_000):
        assert pace.wait_seconds(now=second) == 0.0
        pace.take(1.0 + 200e-6, now=second)


def test_waiting_earns_no_more_than_the_lead():
    pace = RealTimePace(lead_seconds=2.0)
    pace.take(0.0, now=0.0)
    pace.take(3.0, now=1000.0)
    assert pace.wait_seconds(now=1000.0) == pytest.approx(1.0 / REFILL)
