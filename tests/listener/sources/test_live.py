"""Live audio: times that jitter does not move, gaps that are found, and no more than real time."""

import logging
import threading
from itertools import pairwise

import numpy as np
import pytest

from listener.backoff import TokenBucket
from listener.detection.audio import Samples
from listener.sources import live
from listener.sources.live import GapDetector, LiveBuffer, PacedReader, SampleClock
from listener.sources.source import SourceError

RATE = 100
FAST_RATE = 1000
UNIX = 1_700_000_000.0


def ramp(start: int, count: int) -> Samples:
    return np.arange(start, start + count, dtype=np.float32)


@pytest.fixture
def buffer():
    return LiveBuffer("hall", RATE, GapDetector(0.2, 1.0), unix_offset=lambda: UNIX)


def test_chunks_are_cut_from_blocks_and_carry_unix_time(buffer):
    buffer.append(ramp(0, 70), now=10.7)
    buffer.append(ramp(70, 50), now=11.2)
    first, second = buffer.pop(1.0), buffer.pop(1.0)
    assert (first.source, first.start, first.sample_rate_hz) == ("hall", 0, RATE)
    np.testing.assert_array_equal(first.samples, ramp(0, 100))
    np.testing.assert_array_equal(second.samples, ramp(100, 20))
    assert first.captured_at == pytest.approx(UNIX + 10.0, abs=1e-3)
    assert second.captured_at == pytest.approx(UNIX + 11.0, abs=1e-3)
    assert buffer.seconds == 0.0


def test_an_empty_buffer_gives_an_empty_chunk_where_the_next_will_start(buffer):
    assert len(buffer.pop(1.0).samples) == 0
    buffer.append(ramp(0, 30), now=10.3)
    buffer.pop(1.0)
    empty = buffer.pop(1.0)
    assert (empty.start, len(empty.samples)) == (30, 0)


def test_no_chunk_spans_a_known_gap(buffer):
    buffer.append(ramp(0, 30), now=10.3)
    buffer.skip(50)
    buffer.append(ramp(0, 20), now=11.0)
    before, after = buffer.pop(1.0), buffer.pop(1.0)
    assert (before.start, len(before.samples)) == (0, 30)
    assert (after.start, len(after.samples)) == (80, 20)
    assert after.captured_at == pytest.approx(UNIX + 10.8, abs=1e-3)


def test_samples_that_never_came_are_found_logged_and_skipped(buffer, caplog):
    """Three seconds go missing after the fifth; the times that follow are right again."""
    with caplog.at_level(logging.WARNING):
        for block in range(1, 101):
            gap = 3.0 if block > 50 else 0.0
            buffer.append(ramp(0, 10), now=100.0 + block * 0.1 + gap)
    chunks = []
    while buffer.seconds:
        chunks.append(buffer.pop(0.1))
    starts = [chunk.start for chunk in chunks]
    assert buffer.gaps_found == 1
    assert [record.message for record in caplog.records] == [
        "source hall: 3.0 s of audio are missing"
    ]
    assert starts[-1] == pytest.approx(100 * 10 - 10 + 3 * RATE, abs=1)
    assert chunks[-1].ended_at == pytest.approx(UNIX + 113.0, abs=0.02)


def test_at_least_one_sample_is_returned(buffer):
    buffer.append(ramp(0, 3), now=10.0)
    assert len(buffer.pop(0.0).samples) == 1


def test_a_device_that_delivers_too_few_samples_has_gaps(buffer):
    """Nine samples come where ten are due, for a minute: six seconds never came."""
    arrived = 0
    for block in range(1, 601):
        buffer.append(ramp(0, 9), now=100.0 + block * 0.1)
        arrived += 9
    last = buffer.pop(1e6)
    while buffer.seconds:
        last = buffer.pop(1e6)
    assert arrived == 5_400
    # found a window later, and never less than the smallest gap
    assert 100 * 60 - last.end < 0.5 * RATE
    assert last.ended_at == pytest.approx(UNIX + 160.0, abs=0.5)
    assert buffer.gaps_found > 10


def test_a_step_of_the_system_clock_moves_the_next_chunk_but_no_count():
    now = [UNIX]
    buffer = LiveBuffer("hall", RATE, GapDetector(0.2, 1.0), unix_offset=lambda: now[0])
    buffer.append(ramp(0, 100), now=11.0)
    first = buffer.pop(0.5)
    now[0] += 3600.0
    second = buffer.pop(0.5)
    assert (first.end, second.start) == (50, 50)
    assert second.captured_at == pytest.approx(first.ended_at + 3600.0)
    assert buffer.gaps_found == 0


def test_constant_lateness_gives_exact_times():
    clock = SampleClock(FAST_RATE)
    for second in range(1, 11):
        assert clock.observe(second * FAST_RATE, 500.0 + second) == pytest.approx(0.0, abs=1e-9)
    assert clock.time_of(0) == pytest.approx(500.0)
    assert clock.time_of(2500) == pytest.approx(502.5)


def test_jitter_moves_the_clock_by_no_more_than_the_drift_between_punctual_blocks():
    clock = SampleClock(FAST_RATE)
    jitter = np.random.default_rng(0).uniform(0.0, 0.5, 2000)
    jitter[::10] = 0.0
    for block, late in enumerate(jitter, start=1):
        clock.observe(block * 100, 100.0 + block * 0.1 + late)
        if block > 1:
            assert 100.0 <= clock.time_of(0) <= 100.0 + 10 * 0.1 * live.DRIFT + 1e-9


def test_a_late_first_block_is_corrected_by_the_next_punctual_one():
    clock = SampleClock(FAST_RATE)
    clock.observe(FAST_RATE, 103.0)  # 2 s late
    clock.observe(2 * FAST_RATE, 102.0)
    assert clock.time_of(0) == pytest.approx(100.0)


def test_a_burst_at_the_beginning_is_in_the_past():
    clock = SampleClock(FAST_RATE)
    for second in range(1, 11):
        clock.observe(second * FAST_RATE, 100.0)  # ten seconds at once
    assert clock.time_of(10 * FAST_RATE) == pytest.approx(100.0)
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
    clock = SampleClock(FAST_RATE)
    clock.observe(FAST_RATE, 101.0)
    assert clock.observe(2 * FAST_RATE, 102.3) == pytest.approx(0.3, abs=live.DRIFT * 1.1)


def test_a_clock_without_an_observation_has_no_time():
    with pytest.raises(ValueError, match="expected an observation"):
        SampleClock(FAST_RATE).time_of(0)


def test_late_audio_that_catches_up_is_no_gap():
    gaps = GapDetector(gap_seconds=0.2, window_seconds=1.0)
    lateness = [0.0] * 20 + [2.0, 1.5, 1.0, 0.5] + [0.0] * 40
    assert not any(gaps.lost_seconds(late, 0.1 * n) for n, late in enumerate(lateness))


def test_lasting_lateness_is_lost_audio_found_once():
    gaps = GapDetector(gap_seconds=0.2, window_seconds=1.0)
    found, missing = [], 0.0
    for number in range(100):
        late = (2.0 if number >= 30 else 0.0) + 0.01 * (number % 3) - missing
        missing += gaps.lost_seconds(late, 0.1 * number)
        found.append(missing)
    assert found[30] == 0.0
    assert found[60] == found[-1] == pytest.approx(2.0, abs=0.02)


def test_lateness_below_the_limit_is_no_gap():
    gaps = GapDetector(gap_seconds=0.2, window_seconds=1.0)
    assert not any(gaps.lost_seconds(0.19, 0.1 * n) for n in range(100))


def make_reader() -> PacedReader:
    return PacedReader(LiveBuffer("s", FAST_RATE, GapDetector(10.0, 10.0)))


def test_an_opening_burst_is_read_whole_and_its_times_are_continuous():
    reader, blocks = make_reader(), iter(range(8))

    def receive(_deadline):
        if next(blocks, None) is None:
            return False
        reader.push(np.ones(FAST_RATE, np.float32), FAST_RATE)
        return True

    chunks = [chunk for _ in range(8) if (chunk := reader.read(1.0, receive))]
    assert [len(chunk.samples) for chunk in chunks] == [FAST_RATE] * 8
    for before, after in pairwise(chunks):
        assert abs(after.captured_at - before.ended_at) < 0.05
    assert next(blocks, None) is None


def test_a_recording_is_read_no_further_than_the_lead():
    reader, received = make_reader(), []

    def receive(_deadline):
        received.append(1)
        reader.push(np.ones(FAST_RATE, np.float32), FAST_RATE)
        return True

    reader.read(0.5, receive)
    assert len(received) == live.LEAD_SECONDS + 1


def test_an_idle_source_gives_an_empty_chunk():
    chunk = make_reader().read(0.5, lambda _deadline: False)
    assert chunk is not None
    assert len(chunk.samples) == 0


def test_close_ends_a_wait_for_real_time():
    reader = make_reader()

    def receive(_deadline):
        reader.push(np.ones(60 * FAST_RATE, np.float32), FAST_RATE)  # a minute ahead
        return True

    reader.read(60.0, receive)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(reader.read(1.0, receive)))
    thread.start()
    reader.close()
    thread.join(10)
    assert answers == [None]


def test_an_error_comes_after_the_audio_before_it():
    reader, blocks = make_reader(), iter(range(3))

    def receive(_deadline):
        if next(blocks, None) is None:
            raise SourceError("cut")
        reader.push(np.ones(FAST_RATE, np.float32), FAST_RATE)
        return True

    chunks = [chunk for _ in range(3) if (chunk := reader.read(1.0, receive))]
    assert [chunk.end for chunk in chunks] == [FAST_RATE, 2 * FAST_RATE, 3 * FAST_RATE]
    for _ in range(2):
        with pytest.raises(SourceError, match="cut"):
            reader.read(1.0, receive)


class Clock:
    """Seconds that pass as the test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def read(self) -> float:
        return self.now


def make_pace(clock: Clock, lead_seconds: float) -> TokenBucket:
    """As a PacedReader has it, which reads while the bucket holds a whole second."""
    return TokenBucket(live.PACE, lead_seconds + 1.0, clock.read)


def test_the_lead_passes_at_once_and_the_rest_waits():
    pace = make_pace(Clock(), lead_seconds=10.0)
    for _ in range(10):
        assert pace.wait_seconds == 0.0
        pace.take(1.0)
    pace.take(1.0)
    assert pace.wait_seconds == pytest.approx(1.0 / live.PACE)


def test_a_recording_is_read_in_real_time():
    clock = Clock()
    pace = make_pace(clock, lead_seconds=10.0)
    for _ in range(1000):
        clock.now += pace.wait_seconds
        pace.take(1.0)
    assert clock.now == pytest.approx((1000 - 1 - 10) / live.PACE)


def test_a_live_server_with_a_fast_clock_is_never_held_back():
    clock = Clock()
    pace = make_pace(clock, lead_seconds=10.0)
    for second in range(1, 100_000):
        clock.now = float(second)
        assert pace.wait_seconds == 0.0
        pace.take(1.0 + 200e-6)


def test_waiting_earns_no_more_than_the_lead():
    clock = Clock()
    pace = make_pace(clock, lead_seconds=2.0)
    clock.now = 1000.0
    pace.take(3.0)
    assert pace.wait_seconds == pytest.approx(1.0 / live.PACE)
