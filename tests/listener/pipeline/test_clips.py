"""Clips through the inference thread: cut in step with the scores, whatever the batches."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from listener.clips.extractor import ExtractionPlan
from listener.detection.audio import AudioChunk
from listener.detection.clip import ClipDraft, ClipError
from listener.detection.labels import PrivateScores
from listener.pipeline.inference import SnapshotRequests
from listener.pipeline.plan import ClipPlan, DetectionPlan
from listener.sinks.sink import ClipNotice, EventNotice
from tests.doubles import DEADLINE_SECONDS, LABELS
from tests.listener.detection.waveforms import RATE_HZ
from tests.listener.pipeline.stages import HOP, WINDOW, Bench, chunk, chunks, make_plan
from tests.rigs.mosquitto import wait_until

QUIET = LABELS.index("quiet")
NOBODY = PrivateScores(np.array([], np.intp), np.array([], np.float32))


def plan_with_clips(
    private: PrivateScores = NOBODY,
    *,
    pre_seconds: float = 1.0,
    post_seconds: float = 0.5,
    ambient_per_hour: float = 0.0,
) -> DetectionPlan:
    plan = ExtractionPlan(
        frozenset({"loud"}),
        pre_seconds,
        post_seconds,
        near_misses_per_hour=0.0,
        ambient_per_hour=ambient_per_hour,
    )
    return replace(make_plan(labels=("loud",)), clips=ClipPlan(plan, private))


def drafts(bench: Bench) -> list[ClipDraft]:
    return [notice.draft for notice in bench.notices if isinstance(notice, ClipNotice)]


def events(bench: Bench) -> list[EventNotice]:
    return [notice for notice in bench.notices if isinstance(notice, EventNotice)]


def run(plan: DetectionPlan, items: Sequence[AudioChunk], max_batch: int = 1) -> Bench:
    return Bench(*items, plan=plan, max_batch=max_batch).run()


def samples_of(items: Sequence[AudioChunk]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.concatenate([item.samples for item in items])


@pytest.mark.parametrize("max_batch", [1, 3, 100])
def test_clips_hold_the_source_s_samples_whatever_the_batches(max_batch: int):
    items = chunks("....##.....##..")
    found = drafts(run(plan_with_clips(), items, max_batch))
    assert len(found) == 2
    whole = samples_of(items)
    for draft in found:
        start = round(draft.record.captured_at * RATE_HZ)
        assert np.array_equal(draft.samples, whole[start : start + len(draft.samples)])
        event = draft.record.event
        assert event is not None
        assert draft.record.captured_at == pytest.approx(event.onset - 1.0, abs=1e-4)
    again = drafts(run(plan_with_clips(), items))
    assert [draft.record for draft in again] == [draft.record for draft in found]


def test_an_event_names_its_clip_from_the_start_if_one_is_kept():
    bench = run(plan_with_clips(), chunks("..##.."))
    (clip_id,) = {draft.record.id for draft in drafts(bench)}
    assert [(e.clip, e.event.id) for e in events(bench)] == [(clip_id, clip_id)] * 2
    without = run(make_plan(labels=("loud",)), chunks("..##.."))
    assert [event.clip for event in events(without)] == [None, None]


@pytest.mark.parametrize("max_batch", [1, 100])
def test_dropped_chunks_are_in_no_clip(max_batch: int):
    items = [
        item for number, item in enumerate(chunks("...##.........##...")) if number not in (4, 5)
    ]
    plan = plan_with_clips(pre_seconds=60.0, post_seconds=60.0)
    first, second = (draft.record for draft in drafts(run(plan, items, max_batch)))
    hole_begins, hole_ends = (WINDOW + HOP * 3) / RATE_HZ, (WINDOW + HOP * 5) / RATE_HZ
    assert (first.captured_at, first.seconds) == pytest.approx((0.0, hole_begins))
    assert first.event is not None
    assert first.event.reason == "gap"
    assert second.captured_at == pytest.approx(hole_ends)


def test_people_are_heard_by_labels_that_make_no_events():
    silent = chunks("." * 40)
    heard = PrivateScores(np.array([QUIET]), np.array([0.5], np.float32))
    assert drafts(run(plan_with_clips(ambient_per_hour=720.0), silent))
    assert not drafts(run(plan_with_clips(heard, ambient_per_hour=720.0), silent))


def snapshot(plan: DetectionPlan, source: str, seconds: float) -> tuple[Bench, str]:
    """The id of a snapshot's clip, which is requested while the inference runs."""
    bench = Bench(*chunks("......"), plan=plan, max_batch=1)
    thread = threading.Thread(target=bench.inference.run)
    thread.start()
    try:
        wait_until(lambda: not len(bench.queue), DEADLINE_SECONDS, "an empty queue")
        clip_id = bench.inference.snapshots.ask(source, seconds)
        bench.queue.put(chunk(6))
        return bench, clip_id.result(DEADLINE_SECONDS)
    finally:
        bench.queue.close()
        thread.join(DEADLINE_SECONDS)


def test_a_snapshot_is_a_clip_of_the_last_seconds():
    bench, clip_id = snapshot(plan_with_clips(), "hall", 1.5)
    (draft,) = drafts(bench)
    assert (draft.record.id, draft.record.reason) == (clip_id, "missed")
    assert draft.record.seconds == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("plan", "source", "line"),
    [
        (plan_with_clips(), "../hall", "expected a source of the station, got '../hall'"),
        (make_plan(labels=("loud",)), "hall", "clips are off"),
    ],
)
def test_an_impossible_snapshot_is_refused(plan: DetectionPlan, source: str, line: str):
    with pytest.raises(ClipError, match=line):
        snapshot(plan, source, 1.5)


@pytest.mark.parametrize("step", [3600.0, -7200.0])
def test_a_clip_ends_where_the_clock_was_set_and_the_next_one_has_the_new_time(step: float):
    """Each holds the audio of its own time: before the step, and after it."""
    items = chunks("..###..............###....")
    began_at = 100_000.0
    moved = [
        replace(item, captured_at=began_at + item.captured_at + (step if number >= 4 else 0.0))
        for number, item in enumerate(items)
    ]
    first, second = drafts(run(plan_with_clips(), moved))
    whole = samples_of(items)
    for draft, shift in ((first, began_at), (second, began_at + step)):
        start = round((draft.record.captured_at - shift) * RATE_HZ)
        expected = whole[start : start + len(draft.samples)]
        assert draft.samples.tolist() == expected.tolist()
    assert first.record.captured_at + first.record.seconds == pytest.approx(
        began_at + 0.975 + 3 * 0.48
    )


def test_a_snapshot_that_fails_in_an_unexpected_way_ends_nothing():
    requests = SnapshotRequests()
    bad, good = requests.ask("hall", 1.0), requests.ask("barn", 1.0)

    def take(source: str, _seconds: float) -> str:
        if source == "hall":
            raise ZeroDivisionError(source)
        return "an id"

    requests.answer(take)
    assert good.result(0) == "an id"
    with pytest.raises(ZeroDivisionError):
        bad.result(0)
