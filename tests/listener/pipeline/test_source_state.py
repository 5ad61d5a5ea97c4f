"""What one source is, where its audio has holes, and what its events are when the clock is set."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soxr

from listener.detection.audio import AudioChunk, ConditionLimits, Samples
from listener.health import SourceHealth
from listener.pipeline.chunk_queue import Item, StreamEnd
from listener.sinks.sink import SourceStatus
from tests.doubles import ListSink, LoudnessEngine, spans
from tests.listener.detection.waveforms import RATE_HZ, noise, silence, sine
from tests.listener.pipeline.stages import HOP, WINDOW, Bench, chunk

LIMITS = ConditionLimits(silent_after_seconds=1.0, clipping_after_seconds=1.0)


def analyse(items: Sequence[Item]) -> tuple[ListSink, SourceHealth]:
    """The notices and the health of the source `hall`, in batches of one chunk."""
    bench = Bench(*items, engine=LoudnessEngine(), max_batch=1, limits=LIMITS).run()
    return bench.sink, bench.health.sources["hall"]


def part(samples: Samples, start: int, clock: float = 0.0) -> AudioChunk:
    return AudioChunk("hall", start, clock + start / RATE_HZ, RATE_HZ, samples)


def hops(*parts: Samples) -> list[Item]:
    """A stream of a window and patch hops."""
    samples = np.concatenate(parts)
    cuts = [0, *range(WINDOW, len(samples), HOP), len(samples)]
    return [part(samples[a:b], a) for a, b in pairwise(cuts)]


def statuses(items: Sequence[Item]) -> list[str]:
    return [status for _, status in analyse(items)[0].statuses]


def test_a_muted_source_is_online_then_silent_until_the_first_sound():
    found = statuses(hops(noise(RATE_HZ), silence(4.0), noise(RATE_HZ)))
    assert found == ["online", "silent", "online", "offline"]


def test_a_source_that_is_too_loud_is_clipping_until_it_is_not():
    loud = np.clip(sine(440, 4.0, amplitude=2.0), -1.0, 1.0)
    found = statuses(hops(noise(RATE_HZ), loud, noise(4 * RATE_HZ)))
    assert found == ["online", "clipping", "online", "offline"]


def test_silence_is_logged_once_an_episode(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        _, health = analyse(hops(silence(10.0), noise(RATE_HZ), silence(10.0)))
    lines = [record.message for record in caplog.records]
    assert lines == [
        "source hall: online",
        "source hall: silent: nothing over -90 dBFS for 1 s",
        "source hall: online",
        "source hall: silent: nothing over -90 dBFS for 1 s",
    ]
    assert health.status == "offline"


def test_a_source_that_comes_back_is_not_silent_from_the_silence_before():
    lost = StreamEnd("hall", 0.975, "source_lost", "why")
    found = statuses([chunk(0), chunk(1), lost, chunk(0), chunk(1)])
    assert found == ["online", "offline", "online", "offline"]


def test_a_source_without_high_sounds_says_so_once_and_says_when_that_ends(
    caplog: pytest.LogCaptureFixture,
):
    narrow = soxr.resample(noise(8_000 * 25), 8_000, RATE_HZ)
    with caplog.at_level(logging.INFO):
        sink, health = analyse(hops(narrow, noise(4 * RATE_HZ)))
    found = [n for n in sink.notices if isinstance(n, SourceStatus)]
    assert [(n.status, n.bandwidth_hz) for n in found] == [
        ("online", None),
        ("online", pytest.approx(4_000, abs=100)),
        ("online", None),
        ("offline", None),
    ]
    online, limited, full = (record.message for record in caplog.records)
    assert online == "source hall: online"
    assert limited.startswith("source hall: nothing above ")
    assert full == "source hall: its bandwidth is not limited any more"
    assert health.bandwidth_hz is None


def hole(before: int, missing: int) -> list[Item]:
    """Noise with a hole, which only the count of samples shows."""
    samples = noise(before + missing + 3 * WINDOW)
    after = before + missing
    return [part(samples[:before], 0), part(samples[after:], after)]


@pytest.mark.parametrize("before", [WINDOW, WINDOW + HOP, WINDOW + 4_000, 2 * WINDOW - 1])
@pytest.mark.parametrize("missing", [1, 160, 80_000])
def test_an_event_ends_at_the_last_sample_before_a_hole(before: int, missing: int):
    sink, health = analyse(hole(before, missing))
    (first, last) = spans(sink)
    assert first == pytest.approx([0.0, before / RATE_HZ])
    assert last[0] == pytest.approx((before + missing) / RATE_HZ)
    reasons = [notice.event.reason for notice in sink.events if notice.event.offset is not None]
    assert reasons == ["gap", "shutdown"]
    assert health.missing_samples == missing


def test_samples_missing_at_the_beginning_of_a_stream_are_counted():
    _, health = analyse([part(noise(WINDOW), 500), StreamEnd("hall", 2.0, "source_lost")])
    assert health.missing_samples == 500


def test_in_a_stream_that_counts_from_0_again_nothing_is_missing():
    lost = StreamEnd("hall", 1.455, "source_lost")
    _, health = analyse([chunk(0), chunk(1), lost, chunk(0), chunk(1)])
    assert health.missing_samples == 0


def stepped(step: float, at: int, count: int = 10) -> list[Item]:
    """A stream that began a minute ago; the clock steps before chunk `at`."""
    chunks = [chunk(number, loud=2 <= number < 6) for number in range(count)]
    return [
        replace(item, captured_at=item.captured_at + 60.0 + (step if number >= at else 0.0))
        for number, item in enumerate(chunks)
    ]


@pytest.mark.parametrize("step", [3600.0, -7200.0, 0.6, -0.3])
def test_an_event_open_while_the_clock_is_set_keeps_its_onset_and_duration(step: float):
    expected, _ = analyse(stepped(0.0, at=0))
    sink, health = analyse(stepped(step, at=4))
    assert spans(sink) == pytest.approx(spans(expected))
    assert [n.event.id for n in sink.events if n.event.label == "loud"] == [
        n.event.id for n in expected.events if n.event.label == "loud"
    ]
    assert health.missing_samples == 0


@pytest.mark.parametrize("step", [3600.0, -7200.0])
def test_an_event_that_begins_after_the_step_has_the_new_time(step: float):
    expected, _ = analyse(stepped(0.0, at=0))
    sink, _ = analyse(stepped(step, at=1))
    assert spans(sink) == pytest.approx(spans(expected) + step)
    assert sink.levels[-1].at == pytest.approx(expected.levels[-1].at + step)


def test_with_the_times_of_the_chunks_the_duration_would_be_wrong():
    """The negative control."""
    onset, offset = (stepped(3600.0, at=4)[number].captured_at for number in (2, 6))  # type: ignore[union-attr]
    assert offset - onset == pytest.approx(3600.0 + 4 * 0.48)
