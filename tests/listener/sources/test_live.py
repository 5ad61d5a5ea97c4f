import logging

import numpy as np
import pytest

from listener.detection.audio import Samples
from listener.sources.clock import HoleFinder
from listener.sources.live import LiveBuffer

RATE = 100
UNIX = 1_700_000_000.0


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
