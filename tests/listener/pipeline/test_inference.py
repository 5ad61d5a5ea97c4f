"""The inference thread: batches in, notices out, each source's events its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from listener.detection.audio import AudioChunk
from listener.detection.features import log_mel_patches
from listener.engines.engine import EngineError
from listener.pipeline.chunk_queue import Item, StreamEnd
from listener.pipeline.inference import Inference
from listener.sinks.sink import EventNotice, Level, Notice, PatchNotice, SourceStatus
from tests.doubles import NanEngine, spans
from tests.listener.pipeline.stages import HOP, PARAMS, WINDOW, Bench, chunk, chunks, make_plan


def ends(bench: Bench) -> list[tuple[float | None, str | None]]:
    """Offset and reason of the ended `loud` events."""
    events = [notice.event for notice in bench.sink.events if notice.event.label == "loud"]
    return [(event.offset, event.reason) for event in events if event.offset is not None]


def end(at: float, reason: str = "end_of_stream", source: str = "hall") -> StreamEnd:
    return StreamEnd(source, at, reason, "why")


def test_scores_become_events_with_the_times_of_their_slots():
    bench = Bench(*chunks(".##."), end(2.5)).run()
    assert spans(bench.sink) == pytest.approx(np.array([(0.7275, 1.6875)]))
    quiet = [(0.0, 0.7275), (1.6875, 2.5)]
    assert spans(bench.sink, "quiet") == pytest.approx(np.array(quiet))


def test_an_event_has_a_notice_at_its_begin_and_one_at_its_end():
    bench = Bench(*chunks("#."), end(1.5)).run()
    loud = [notice for notice in bench.sink.events if notice.event.label == "loud"]
    assert [notice.event.offset is None for notice in loud] == [True, False]
    assert [notice.heard_at for notice in loud] == pytest.approx([0.975, 0.48 + 0.975])


def test_what_is_active_at_the_end_of_the_stream_ends_with_its_reason():
    for reason in ("end_of_stream", "source_lost", "shutdown"):
        bench = Bench(*chunks("##"), end(1.4, reason)).run()
        assert ends(bench) == [(1.4, reason)]


def test_dropped_chunks_end_events_as_a_gap():
    items = [item for number, item in enumerate(chunks("#######")) if number not in (2, 3)]
    bench = Bench(*items, end(3.855)).run()
    assert [reason for _, reason in ends(bench)] == ["gap", "end_of_stream"]
    assert [offset for offset, _ in ends(bench)] == pytest.approx([0.48 + 0.975, 3.855])
    onsets = [onset for onset, _ in spans(bench.sink)]
    # after the hole the first slot begins with the first sample
    assert onsets == pytest.approx([0.0, 0.975 + 3 * 0.48])
    assert bench.engine.batches == [4]  # two before; a window and what is left of it after


def test_what_was_dropped_before_the_end_of_the_stream_is_a_gap_too():
    bench = Bench(*chunks("##"), end(0.975 + 4 * 0.48)).run()
    ((offset, reason),) = ends(bench)
    assert offset == pytest.approx(0.48 + 0.975)
    assert reason == "gap"
    assert bench.sink.statuses == [("hall", "online"), ("hall", "offline")]


def test_what_is_left_at_the_end_of_a_stream_makes_a_padded_patch():
    """Before its end, and not before the next stream."""
    tail = replace(chunk(1, loud=True), samples=chunk(1, loud=True).samples[:7_000])
    bench = Bench(*chunks("#"), tail, end(1.4125), *chunks("."), end(0.975)).run()
    assert ends(bench) == [(1.4125, "end_of_stream")]
    assert [row.offset for row in bench.rows] == pytest.approx([0.7275, 1.2075, 0.7275])


def test_no_event_continues_into_a_stream_that_goes_on_counting():
    """The stream before ended with a whole patch, and the next begins at the sample after it."""
    bench = Bench(*chunks("#"), end(0.975, "source_lost"), chunk(1, loud=True), end(1.455)).run()
    assert [row.onset for row in bench.rows] == pytest.approx([0.0, 0.975])
    assert ends(bench) == [(0.975, "source_lost")]  # padding is most of the second's newer half


def test_no_event_continues_into_a_stream_that_begins_again():
    bench = Bench(*chunks("##"), end(1.4, "source_lost"), *chunks("##"), end(1.4)).run()
    assert [reason for _, reason in ends(bench)] == ["source_lost", "end_of_stream"]


def test_a_source_that_has_not_ended_is_shut_down_at_its_last_sample():
    bench = Bench(*chunks("##")).run()
    ((offset, reason),) = ends(bench)
    assert offset == pytest.approx(0.48 + 0.975)
    assert reason == "shutdown"
    assert bench.sink.statuses == [("hall", "online"), ("hall", "offline")]


def test_sources_do_not_mix():
    hall, barn = chunks("###", "hall"), chunks("...", "barn")
    items = [item for pair in zip(hall, barn, strict=True) for item in pair]
    bench = Bench(*items, end(2.0), end(2.0, source="barn")).run()
    loud = [n.event for n in bench.sink.events if n.event.label == "loud"]
    assert {event.source for event in loud} == {"hall"}
    assert {row.source for row in bench.rows if row.scores[0] > 0.5} == {"hall"}


def test_a_source_is_online_from_its_first_patch_with_one_notice():
    bench = Bench(*chunks("...."), end(2.0)).run()
    assert bench.sink.statuses == [("hall", "online"), ("hall", "offline")]
    assert isinstance(bench.sink.notices[0], SourceStatus)


def test_a_source_that_never_opened_is_offline_once_with_the_reason():
    bench = Bench(*[end(1.0, "source_lost")] * 3).run()
    assert bench.sink.notices == [SourceStatus("hall", "offline", 1.0, "why")]


def test_a_source_that_comes_back_is_online_again():
    lost = (end(1.0, "source_lost"), end(2.0, "source_lost"))
    bench = Bench(*chunks("."), *lost, *chunks("."), end(1)).run()
    assert [status for _, status in bench.sink.statuses] == [
        "online",
        "offline",
        "online",
        "offline",
    ]


def test_each_patch_gives_a_level():
    bench = Bench(*chunks(".#"), end(1.5)).run()
    assert [(level.dbfs, level.peak_dbfs) for level in bench.sink.levels] == [
        (-120.0, -120.0),
        pytest.approx((-20.0, -20.0), abs=1e-4),
    ]
    assert [level.at for level in bench.sink.levels] == pytest.approx([0.975, 1.455])


@pytest.mark.parametrize(("max_batch", "batches"), [(1, [1] * 5), (2, [2, 2, 1]), (16, [5])])
def test_no_batch_is_larger_than_allowed(max_batch: int, batches: list[int]):
    bench = Bench(*chunks("....."), max_batch=max_batch).run()
    assert bench.engine.batches == batches
    assert bench.health.batch_patches.sum == 5


def test_scores_do_not_depend_on_the_batches():
    tables = [
        [row.scores.tolist() for row in Bench(*chunks(".#.##"), max_batch=size).run().rows]
        for size in (1, 2, 16)
    ]
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.parametrize("max_batch", [1, 2, 3, 16])
def test_the_notices_of_a_source_do_not_depend_on_the_batches(max_batch: int):
    """Nor does their order: levels, events, ends and all."""
    hall: list[Item] = [*chunks(".#."), end(2.0, "source_lost"), *chunks("##"), end(1.5)]
    barn = chunks("##.##.#", "barn")
    items = [item for pair in zip(hall, barn, strict=True) for item in pair]
    at_once = Bench(*items, max_batch=1_000).run().sink.notices
    in_batches = Bench(*items, max_batch=max_batch).run().sink.notices
    for source in ("hall", "barn"):
        assert of(in_batches, source) == of(at_once, source)
    assert {len(at_once), len(in_batches)} == {len(of(at_once, "hall") + of(at_once, "barn"))}


def of(notices: list[Notice], source: str) -> list[str]:
    return [
        repr(notice)
        for notice in notices
        if (isinstance(notice, EventNotice) and notice.event.source == source)
        or (isinstance(notice, Level | PatchNotice | SourceStatus) and notice.source == source)
    ]


def test_the_notices_of_a_batch_are_delivered_at_once():
    bench = Bench(*chunks("#.#."), max_batch=2).run()
    with_notices = [notices for notices in bench.deliveries if notices]
    assert len(with_notices) == 3  # two batches and the end
    assert [type(notice) for notice in with_notices[0][:2]] == [SourceStatus, Level]
    assert sum(isinstance(notice, Level) for notice in with_notices[1]) == 2


def test_a_chunk_that_completes_no_patch_needs_no_engine():
    part = AudioChunk("hall", 0, 0.0, 16_000, np.zeros(WINDOW - 1, np.float32))
    rest = AudioChunk("hall", WINDOW - 1, 0.0, 16_000, np.zeros(HOP, np.float32))
    bench = Bench(part, rest, max_batch=1).run()
    assert bench.engine.batches == [1]


def test_only_the_labels_of_the_plan_are_detected():
    bench = Bench(*chunks(".#"), end(1.5), plan=make_plan(labels=("quiet",))).run()
    assert {notice.event.label for notice in bench.sink.events} == {"quiet"}
    assert [row.scores.shape for row in bench.rows] == [(1,), (1,)]
    assert bench.rows[0].scores.tolist() == [1.0]


def test_the_tap_sees_scores_and_embeddings_as_the_engine_gave_them():
    row = Bench(*chunks("#")).run().rows[0]
    log_mel = log_mel_patches(chunk(0, loud=True).samples, PARAMS)
    assert row.scores.tolist() == [1.0, 0.0]
    assert row.embedding is not None
    assert row.embedding.tolist() == pytest.approx([log_mel[0, 48:].mean()], abs=1e-5)
    assert row.source == "hall"
    assert row.level_dbfs == pytest.approx(-20.0, abs=1e-4)


def test_health_counts_what_was_analysed():
    bench = Bench(*chunks("#.#."), end(2.4)).run()
    source = bench.health.sources["hall"]
    assert (source.patches, source.level_dbfs) == (4, -120.0)
    assert source.by_label.events.tolist() == [2, 2]
    assert not source.by_label.active.any()
    assert not source.up
    assert source.last_patch_at == pytest.approx(time.time(), abs=60)
    assert "inference" in bench.health.heartbeats


def test_health_shows_what_is_active_and_its_smoothed_scores():
    bench = Bench(*chunks("#"))
    source = bench.health.sources["hall"]
    states: list[tuple[list[bool], list[float]]] = []

    def record(notices: Sequence[Notice]) -> None:
        if any(isinstance(notice, EventNotice) for notice in notices):
            states.append((source.by_label.active.tolist(), source.by_label.scores.tolist()))

    bench.inference = Inference(
        bench.engine,
        bench.plan,
        bench.queue,
        bench.health,
        record,
        max_batch=1,
        max_wait_seconds=0.0,
    )
    bench.run()
    assert states[0] == ([True, False], [1.0, 0.0])
    assert states[-1][0] == [False, False]


def test_scores_that_are_not_finite_raise():
    bench = Bench(*chunks("...."), engine=NanEngine(broken_from=2), max_batch=1)
    with pytest.raises(EngineError, match="scores that are not finite"):
        bench.run()
    assert len(bench.rows) == 2
    assert bench.health.engine_failed


def test_without_audio_it_ends_when_the_queue_is_closed():
    assert np.array(Bench().run().rows).size == 0
