"""The whole flow, with doubles at its ends."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from listener.config.engine import EngineSettings
from listener.detection.audio import Samples
from listener.engines.engine import EngineError
from listener.health import Health
from listener.pipeline.capture import SourcePlan
from listener.pipeline.pipeline import Pipeline, PipelineSettings
from tests.doubles import (
    ArraySource,
    BrokenSink,
    FedSource,
    GatedEngine,
    GatedSink,
    HangingSource,
    ListSink,
    NanEngine,
    Openings,
    spans,
)
from tests.listener.detection.waveforms import noise, silence
from tests.listener.pipeline.stages import FLOW, SMALL_BACKOFF, make_pipeline

TINY_QUEUES = PipelineSettings(EngineSettings(max_wait_ms=0.0, queue_seconds=0.5), SMALL_BACKOFF)

# a thread that fails also prints its traceback; pytest would make that a warning, and so an error
failing_thread = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@contextmanager
def started(pipeline: Pipeline) -> Iterator[Pipeline]:
    pipeline.start()
    try:
        yield pipeline
    finally:
        pipeline.stop()


def file_plan(samples: Samples, name: str = "hall") -> SourcePlan:
    opener = Openings(ArraySource(samples, name=name))
    return SourcePlan(name, opener, lossless=True, restarts=False)


def analyse(samples: Samples, settings_: PipelineSettings = FLOW) -> tuple[ListSink, Health]:
    sink = ListSink()
    pipeline, health = make_pipeline([file_plan(samples)], {"list": sink}, settings_=settings_)
    pipeline.run_to_end()
    return sink, health


def one_burst() -> Samples:
    return np.concatenate([silence(3.0), noise(32_000), silence(3.0)])


def test_a_burst_becomes_one_event_at_its_time():
    sink, health = analyse(one_burst())
    ((onset, offset),) = spans(sink)
    assert onset == pytest.approx(3.0, abs=0.5)
    assert offset == pytest.approx(5.0, abs=0.5)
    assert sink.statuses == [("hall", "online"), ("hall", "offline")]
    assert sink.closed
    assert (health.sources["hall"].dropped, health.sources["hall"].ended) == (0, True)


def test_run_to_end_is_lossless_through_the_smallest_queues():
    sink, health = analyse(noise(60 * 16_000), TINY_QUEUES)
    patches = 1 + -(-(60 * 16_000 - 15_600) // 7_680)
    assert health.sources["hall"].patches == patches == len(sink.levels)
    assert health.sources["hall"].dropped == 0
    assert spans(sink).tolist() == [[0.0, 60.0]]


def test_every_source_is_analysed_to_its_end():
    sink = ListSink()
    plans = [file_plan(noise(16_000 * (k + 1)), f"s{k}") for k in range(4)]
    pipeline, health = make_pipeline(plans, {"list": sink})
    pipeline.run_to_end()
    ends = {n.event.source: n.event.offset for n in sink.events if n.event.offset is not None}
    assert ends == {f"s{k}": k + 1.0 for k in range(4)}
    assert all(not source.by_label.active.any() for source in health.sources.values())


def test_a_lost_source_ends_its_events_and_comes_back_without_effect_on_others():
    hall, hall_again, barn = FedSource(), FedSource(), FedSource("barn")
    plans = [
        SourcePlan("hall", Openings(hall, "gone", hall_again)),
        SourcePlan("barn", lambda: barn),
    ]
    sink = ListSink()
    pipeline, health = make_pipeline(plans, {"list": sink})
    with started(pipeline):
        barn.feed(noise(15_600))
        hall.feed(noise(15_600))
        hall.lose("unplugged")
        sink.wait_for(lambda sink: ("hall", "offline") in sink.statuses)
        barn.feed(noise(7_680))
        hall_again.feed(noise(15_600))
        sink.wait_for(lambda sink: sink.statuses.count(("hall", "online")) == 2)
        sink.wait_for(lambda sink: len([x for x in sink.levels if x.source == "barn"]) == 2)
        assert spans_of(sink, "barn") == []
    assert [r for _, r in ended(sink, "hall")] == ["source_lost", "shutdown"]
    assert [r for _, r in ended(sink, "barn")] == ["shutdown"]
    assert set(sink.statuses[-2:]) == {("hall", "offline"), ("barn", "offline")}
    assert health.sources["hall"].restarts == 2
    assert health.sources["barn"].restarts == 0


def ended(sink: ListSink, source: str) -> list[tuple[float, str | None]]:
    events = [n.event for n in sink.events if n.event.source == source]
    return [(e.offset, e.reason) for e in events if e.label == "loud" and e.offset is not None]


def spans_of(sink: ListSink, source: str) -> list[float]:
    return [offset for offset, _ in ended(sink, source)]


def test_a_stop_ends_open_events_at_the_last_sample():
    source, sink = FedSource(), ListSink()
    pipeline, _ = make_pipeline([SourcePlan("hall", lambda: source)], {"list": sink})
    pipeline.start()
    source.feed(noise(20_000))
    sink.wait_for(lambda sink: bool(sink.events))
    assert pipeline.stop()
    assert ended(sink, "hall") == [(1.25, "shutdown")]
    assert sink.closed
    assert source.closed


def test_stop_does_not_wait_for_a_source_that_hangs(caplog: pytest.LogCaptureFixture):
    hanging, other, sink = HangingSource(), FedSource("barn"), ListSink()
    plans = [SourcePlan("hall", lambda: hanging), SourcePlan("barn", lambda: other)]
    pipeline, _ = make_pipeline(plans, {"list": sink})
    pipeline.start()
    other.feed(noise(15_600))
    sink.wait_for(lambda sink: bool(sink.events))
    assert hanging.reading.wait(20)
    try:
        assert not pipeline.stop()
        assert "capture:hall: did not stop in time" in caplog.text
        assert [reason for _, reason in ended(sink, "barn")] == ["shutdown"]
        assert sink.closed
    finally:
        hanging.release()


def test_a_slow_sink_does_not_delay_another():
    source, slow, quick = FedSource(), GatedSink(), ListSink()
    plans = [SourcePlan("hall", lambda: source)]
    pipeline, health = make_pipeline(plans, {"slow": slow, "quick": quick})
    with started(pipeline):
        source.feed(one_burst())
        quick.wait_for(lambda sink: len(spans(sink)) == 1)
        assert slow.notices == []
        pipeline.tick()
        assert health.queue_depths["sink:slow"] > 0
        slow.gate.set()
    assert spans(slow).tolist() == spans(quick).tolist()


def test_an_engine_that_is_behind_drops_the_older_half_and_ends_events_by_a_gap(
    caplog: pytest.LogCaptureFixture,
):
    source, sink, engine = FedSource(), ListSink(), GatedEngine()
    plans = [SourcePlan("hall", lambda: source)]
    pipeline, health = make_pipeline(plans, {"list": sink}, engine, TINY_QUEUES)
    with started(pipeline):
        source.feed(noise(15_600))
        assert engine.entered.wait(20)  # the first patch is in the engine
        source.feed(noise(10 * 7_680))  # ten more, four of which fit
        source.end()
        pipeline._capture_threads[0].join(20)
        engine.gate.set()
        sink.wait_for(lambda sink: ("hall", "offline") in sink.statuses)
    assert health.sources["hall"].dropped == 6  # two of five, three times
    assert health.sources["hall"].missing_samples == 6 * 7_680
    # the one in the engine; of four hops a window, a patch and what is left
    assert health.sources["hall"].patches == 1 + 3
    assert [reason for _, reason in ended(sink, "hall")] == ["gap", "end_of_stream"]
    assert spans_of(sink, "hall") == pytest.approx([0.975, 0.975 + 4.8])
    assert spans(sink)[1, 0] == pytest.approx(0.975 + 6 * 0.48)
    assert caplog.text.count("2 are dropped") == 1  # once an episode


def test_ended_is_when_every_source_has():
    first, second = FedSource("a"), FedSource("b")
    plans = [SourcePlan("a", lambda: first), SourcePlan("b", lambda: second)]
    sink = ListSink()
    pipeline, _ = make_pipeline(plans, {"list": sink})
    with started(pipeline):
        first.feed(noise(16_000))
        first.end()
        sink.wait_for(lambda sink: ("a", "offline") in sink.statuses)
        assert not pipeline.ended
        second.end()
        sink.wait_for(lambda sink: ("b", "offline") in sink.statuses)
        pipeline._capture_threads[1].join(20)
        assert pipeline.ended


def test_samples_that_are_not_finite_do_not_stop_anything():
    samples = noise(48_000)
    samples[10_000:10_010] = np.nan
    samples[20_000] = 3e38
    sink, health = analyse(samples)
    assert health.sources["hall"].nonfinite_samples == 11
    assert spans(sink).tolist() == [[0.0, 3.0]]


@failing_thread
def test_scores_that_are_not_finite_end_it_visibly():
    pipeline, health = make_pipeline([file_plan(noise(16_000))], {"list": ListSink()}, NanEngine())
    with pytest.raises(EngineError, match="not finite"):
        pipeline.run_to_end()
    assert isinstance(pipeline.failure, EngineError)
    assert pipeline.ended
    assert health.engine_failed


@failing_thread
def test_a_failed_engine_does_not_leave_a_lossless_source_waiting():
    """More patches than fit the queue, and no thread left to take them out."""
    pipeline, _ = make_pipeline(
        [file_plan(noise(60 * 16_000))], {"list": ListSink()}, NanEngine(3), TINY_QUEUES
    )
    with pytest.raises(EngineError):
        pipeline.run_to_end()


@failing_thread
def test_a_sink_that_fails_ends_it_visibly():
    pipeline, _ = make_pipeline([file_plan(noise(16_000))], {"broken": BrokenSink()})
    with pytest.raises(RuntimeError, match="cannot handle"):
        pipeline.run_to_end()


class Buggy(ArraySource):
    """Fails at its first read, as a bug would."""

    def read(self, seconds: float):
        raise ZeroDivisionError(seconds)


def test_a_source_with_a_bug_is_lost_and_the_others_never_notice(
    caplog: pytest.LogCaptureFixture,
):
    sink = ListSink()
    plans = [
        SourcePlan("barn", lambda: Buggy(noise(1)), lossless=True, restarts=False),
        file_plan(one_burst()),
    ]
    pipeline, health = make_pipeline(plans, {"list": sink})
    pipeline.run_to_end()
    assert len(spans(sink)) == 1
    assert (health.sources["barn"].failed, health.sources["barn"].faults) == (True, 1)
    assert not health.sources["hall"].failed
    assert caplog.text.count("ZeroDivisionError: ") == 2  # a traceback, and the line of the loss


def test_a_sink_that_fails_loses_its_own_notices_alone():
    """Not in a run over files alone, which would give less than all of it without a word."""
    source, good = FedSource(), ListSink()
    plans = [SourcePlan("hall", lambda: source)]
    pipeline, health = make_pipeline(plans, {"broken": BrokenSink(), "good": good})
    with started(pipeline):
        source.feed(one_burst())
        good.wait_for(lambda sink: len(spans(sink)) == 1)
        assert not pipeline.ended
    assert health.faults["sink:broken"] == len(good.notices)
    assert health.faults["sink:good"] == 0


@failing_thread
def test_after_a_failure_stop_does_not_wait():
    source, hanging = FedSource(), GatedSink()
    plans = [SourcePlan("hall", lambda: source)]
    pipeline, _ = make_pipeline(plans, {"slow": hanging}, NanEngine(1))
    pipeline.start()
    source.feed(noise(15_600))
    assert hanging.entered.wait(20)
    source.feed(noise(15_600))
    pipeline._inference_thread.join(20)
    try:
        assert pipeline.ended
        assert not pipeline.stop()
    finally:
        hanging.gate.set()


def test_threads_are_named_by_their_work():
    pipeline, _ = make_pipeline([file_plan(noise(1))], {"list": ListSink()})
    threads = (
        *pipeline._capture_threads,
        pipeline._inference_thread,
        *pipeline._sink_threads,
    )
    names = {thread.name for thread in threads}
    assert names == {"capture:hall", "inference", "sink:list"}


def test_a_source_is_logged_when_it_comes_and_goes(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        analyse(noise(16_000))
    lines = [r.getMessage() for r in caplog.records if "source hall" in r.getMessage()]
    assert sorted(lines) == ["source hall: end of stream", "source hall: online"]
