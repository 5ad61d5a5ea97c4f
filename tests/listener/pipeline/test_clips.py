"""Clips through the inference thread: cut in step with the scores, whatever the batches."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from listener.clips.extractor import ExtractionPlan
from listener.detection.clip import ClipDraft, ClipError
from listener.detection.labels import PrivateScores
from listener.pipeline.chunk_queue import ChunkQueue, Item, StreamEnd
from listener.pipeline.inference import Inference
from listener.pipeline.plan import ClipPlan, DetectionPlan
from listener.sinks.sink import ClipNotice, EventNotice, Notice
from tests.doubles import DEADLINE_SECONDS, LABELS, NewestEngine
from tests.listener.detection.waveforms import RATE_HZ
from tests.listener.pipeline.stages import HOP, WINDOW, chunk, make_health, make_plan
from tests.rigs.mosquitto import wait_until

LOUD, QUIET = (LABELS.index(label) for label in ("loud", "quiet"))
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


class Listener:
    """An inference over items, which may be run on a thread of its own."""

    def __init__(self, plan: DetectionPlan, items: Sequence[Item], max_batch: int = 1) -> None:
        self.notices: list[Notice] = []
        self.queue = ChunkQueue(["hall"], 1_000)
        for item in items:
            self.queue.put(item)
        self.inference = Inference(
            NewestEngine(),
            plan,
            self.queue,
            make_health("hall", labels=tuple(plan.policies)),
            self.notices.extend,
            max_batch=max_batch,
            max_wait_seconds=0.0,
        )

    def run(self) -> Listener:
        self.queue.close()
        self.inference.run()
        return self

    @property
    def cuttings(self) -> list[ClipDraft]:
        return [notice.draft for notice in self.notices if isinstance(notice, ClipNotice)]


def chunks(loud: str) -> list[Item]:
    """ "..##" completes two silent patches, then two loud ones."""
    return [chunk(number, loud=sign == "#") for number, sign in enumerate(loud)]


def samples_of(items: Sequence[Item]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.concatenate([item.samples for item in items if not isinstance(item, StreamEnd)])


@pytest.mark.parametrize("max_batch", [1, 3, 100])
def test_clips_hold_the_source_s_samples_whatever_the_batches(max_batch: int):
    items = chunks("....##.....##..")
    listener = Listener(plan_with_clips(), items, max_batch).run()
    assert len(listener.cuttings) == 2
    whole = samples_of(items)
    for cutting in listener.cuttings:
        start = round(cutting.record.captured_at * RATE_HZ)
        assert np.array_equal(cutting.samples, whole[start : start + len(cutting.samples)])
        event = cutting.record.event
        assert event is not None
        assert cutting.record.captured_at == pytest.approx(event.onset - 1.0, abs=1e-4)
    again = Listener(plan_with_clips(), items, 1).run()
    assert [c.record for c in again.cuttings] == [c.record for c in listener.cuttings]


def test_an_event_names_its_clip_from_the_start_where_one_is_kept():
    listener = Listener(plan_with_clips(), chunks("..##..")).run()
    events = [notice for notice in listener.notices if isinstance(notice, EventNotice)]
    (clip_id,) = {cutting.record.id for cutting in listener.cuttings}
    assert [(e.clip, e.event.id) for e in events] == [(clip_id, clip_id)] * 2
    without = Listener(make_plan(labels=("loud",)), chunks("..##..")).run()
    events = [notice for notice in without.notices if isinstance(notice, EventNotice)]
    assert [event.clip for event in events] == [None, None]


@pytest.mark.parametrize("max_batch", [1, 100])
def test_dropped_chunks_are_in_no_clip(max_batch: int):
    items = [
        item for number, item in enumerate(chunks("...##.........##...")) if number not in (4, 5)
    ]
    listener = Listener(
        plan_with_clips(pre_seconds=60.0, post_seconds=60.0), items, max_batch
    ).run()
    hole_begins, hole_ends = (WINDOW + HOP * 3) / RATE_HZ, (WINDOW + HOP * 5) / RATE_HZ
    first, second = (cutting.record for cutting in listener.cuttings)
    assert (first.captured_at, first.seconds) == pytest.approx((0.0, hole_begins))
    assert first.event is not None
    assert first.event.reason == "gap"
    assert second.captured_at == pytest.approx(hole_ends)


def test_people_are_heard_in_labels_that_are_not_looked_for():
    silent = chunks("." * 40)
    heard = PrivateScores(np.array([QUIET]), np.array([0.5], np.float32))
    assert Listener(plan_with_clips(ambient_per_hour=720.0), silent).run().cuttings
    assert not Listener(plan_with_clips(heard, ambient_per_hour=720.0), silent).run().cuttings


def ask(plan: DetectionPlan, source: str, seconds: float) -> tuple[Listener, str]:
    """A snapshot between batches, asked for while the inference runs."""
    listener = Listener(plan, chunks("......"))
    thread = threading.Thread(target=listener.inference.run)
    thread.start()
    try:
        wait_until(lambda: not len(listener.queue), DEADLINE_SECONDS, "an empty queue")
        clip_id = listener.inference.snapshots.ask(source, seconds)
        listener.queue.put(chunk(6))
        return listener, clip_id.result(DEADLINE_SECONDS)
    finally:
        listener.queue.close()
        thread.join(DEADLINE_SECONDS)


def test_a_snapshot_is_a_clip_of_the_last_seconds():
    listener, clip_id = ask(plan_with_clips(), "hall", 1.5)
    (cutting,) = listener.cuttings
    assert (cutting.record.id, cutting.record.reason) == (clip_id, "missed")
    assert cutting.record.seconds == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("plan", "source", "line"),
    [
        (plan_with_clips(), "../hall", "expected a source of the station, got '../hall'"),
        (make_plan(labels=("loud",)), "hall", "clips are off"),
    ],
)
def test_a_snapshot_that_cannot_be_is_refused(plan: DetectionPlan, source: str, line: str):
    with pytest.raises(ClipError, match=line):
        ask(plan, source, 1.5)


@pytest.mark.parametrize("step", [3600.0, -7200.0])
def test_a_clip_ends_where_the_clock_was_set_and_the_next_one_has_the_new_time(step: float):
    """Each holds the sound that it says: before the step, and after it."""
    items = chunks("..###..............###....")
    began_at = 100_000.0
    moved = [
        replace(item, captured_at=began_at + item.captured_at + (step if number >= 4 else 0.0))
        for number, item in enumerate(items)
        if not isinstance(item, StreamEnd)
    ]
    first, second = Listener(plan_with_clips(), moved).run().cuttings
    whole = samples_of(items)
    for cutting, shift in ((first, began_at), (second, began_at + step)):
        start = round((cutting.record.captured_at - shift) * RATE_HZ)
        expected = whole[start : start + len(cutting.samples)]
        assert cutting.samples.tolist() == expected.tolist()
    assert first.record.captured_at + first.record.seconds == pytest.approx(
        began_at + 0.975 + 3 * 0.48
    )
