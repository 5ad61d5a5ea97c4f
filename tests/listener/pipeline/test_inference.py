"""The inference thread: batches in, notices out, each source's events its own."""

from __future__ import annotations

import time

import numpy as np
import pytest

from listener.config import EngineSettings
from listener.detection.scores import PatchScores
from listener.engines.engine import EngineError
from listener.health import Health
from listener.pipeline.inference import DetectionPlan, Inference
from listener.pipeline.patch_queue import Item, PatchQueue, StreamEnd
from listener.sinks.sink import EventNotice, SourceStatus
from tests.doubles import ListSink, LoudnessEngine, NanEngine, spans
from tests.listener.pipeline.stages import make_health, make_plan, patch

MAX_BATCH = EngineSettings().max_batch


class Bench:
    """An inference over some items, run to its end on this thread."""

    def __init__(
        self,
        *items: Item,
        engine: LoudnessEngine | None = None,
        plan: DetectionPlan | None = None,
        max_batch: int = MAX_BATCH,
    ) -> None:
        self.plan = plan or make_plan()
        self.engine = engine or LoudnessEngine()
        self.sources = list(dict.fromkeys(item.source for item in items)) or ["hall"]
        self.health: Health = make_health(*self.sources, labels=tuple(self.plan.policies))
        self.sink = ListSink()
        self.rows: list[PatchScores] = []
        self.queue = PatchQueue(self.sources, 1_000)
        for item in items:
            self.queue.put(item)
        self.queue.close()
        self.inference = Inference(
            self.engine,
            self.plan,
            self.queue,
            self.health,
            self.sink.handle,
            max_batch=max_batch,
            max_wait_seconds=0.0,
            tap=self.rows.append,
        )

    def run(self) -> Bench:
        self.inference.run()
        return self

    def ends(self) -> list[tuple[float | None, str | None]]:
        """Offset and reason of the ended `loud` events."""
        events = [notice.event for notice in self.sink.events if notice.event.label == "loud"]
        return [(event.offset, event.reason) for event in events if event.offset is not None]


def patches(loud: str, source: str = "hall") -> list[Item]:
    """ "..##" is two silent patches, then two loud ones."""
    return [patch(number, source, loud=sign == "#") for number, sign in enumerate(loud)]


def end(at: float, reason: str = "end_of_stream", source: str = "hall") -> StreamEnd:
    return StreamEnd(source, at, reason, "why")


def test_scores_become_events_with_the_times_of_their_slots():
    bench = Bench(*patches(".##."), end(2.5)).run()
    assert spans(bench.sink) == pytest.approx(np.array([(0.7275, 1.6875)]))
    quiet = [(0.0, 0.7275), (1.6875, 2.5)]
    assert spans(bench.sink, "quiet") == pytest.approx(np.array(quiet))


def test_an_event_begins_before_it_ends_and_says_when_it_was_heard():
    bench = Bench(*patches("#."), end(1.5)).run()
    loud = [notice for notice in bench.sink.events if notice.event.label == "loud"]
    assert [notice.event.offset is None for notice in loud] == [True, False]
    assert [notice.heard_at for notice in loud] == pytest.approx([0.975, 0.48 + 0.975])


def test_what_is_active_at_the_end_of_the_stream_ends_with_its_reason():
    for reason in ("end_of_stream", "source_lost", "shutdown"):
        bench = Bench(*patches("##"), end(1.4, reason)).run()
        assert bench.ends() == [(1.4, reason)]


def test_a_dropped_patch_ends_events_as_a_gap():
    items = [item for k, item in enumerate(patches("#####")) if k != 2]
    bench = Bench(*items, end(3.0)).run()
    assert [reason for _, reason in bench.ends()] == ["gap", "end_of_stream"]
    assert [offset for offset, _ in bench.ends()] == pytest.approx([0.48 + 0.975, 3.0])
    onsets = [onset for onset, _ in spans(bench.sink)]
    assert onsets == pytest.approx([0.0, 3 * 0.48])  # the new stretch speaks from its first sample


def test_a_stream_that_begins_again_bridges_nothing():
    bench = Bench(*patches("##"), end(1.4, "source_lost"), *patches("##"), end(1.4)).run()
    assert [reason for _, reason in bench.ends()] == ["source_lost", "end_of_stream"]


def test_a_source_that_has_not_ended_is_shut_down_at_its_last_sample():
    bench = Bench(*patches("##")).run()
    ((offset, reason),) = bench.ends()
    assert offset == pytest.approx(0.48 + 0.975)
    assert reason == "shutdown"
    assert bench.sink.statuses == [("hall", "online"), ("hall", "offline")]


def test_sources_do_not_mix():
    hall, barn = patches("###", "hall"), patches("...", "barn")
    items = [item for pair in zip(hall, barn, strict=True) for item in pair]
    bench = Bench(*items, end(2.0), end(2.0, source="barn")).run()
    loud = [n.event for n in bench.sink.events if n.event.label == "loud"]
    assert {event.source for event in loud} == {"hall"}
    assert {row.source for row in bench.rows if row.scores[0] > 0.5} == {"hall"}


def test_a_source_is_online_from_its_first_patch_and_told_once():
    bench = Bench(*patches("...."), end(2.0)).run()
    assert bench.sink.statuses == [("hall", "online"), ("hall", "offline")]
    assert isinstance(bench.sink.notices[0], SourceStatus)


def test_a_source_that_never_came_is_offline_once_with_the_reason():
    bench = Bench(*[end(1.0, "source_lost")] * 3).run()
    assert bench.sink.notices == [SourceStatus("hall", "offline", 1.0, "why")]


def test_a_source_that_comes_back_is_online_again():
    items = [*patches("."), end(1.0, "source_lost"), end(2.0, "source_lost"), *patches("."), end(1)]
    statuses = [status for _, status in Bench(*items).run().sink.statuses]
    assert statuses == ["online", "offline", "online", "offline"]


def test_each_patch_gives_a_level():
    bench = Bench(*patches(".#"), end(1.5)).run()
    assert [(level.dbfs, level.peak_dbfs) for level in bench.sink.levels] == [
        (-120.0, -120.0),
        (-20.0, -20.0),
    ]
    assert [level.at for level in bench.sink.levels] == pytest.approx([0.975, 1.455])


@pytest.mark.parametrize(("max_batch", "batches"), [(1, [1] * 5), (2, [2, 2, 1]), (16, [5])])
def test_no_batch_is_larger_than_allowed(max_batch: int, batches: list[int]):
    bench = Bench(*patches("....."), max_batch=max_batch).run()
    assert bench.engine.batches == batches
    assert bench.health.batch_patches.sum == 5


def test_scores_do_not_depend_on_the_batches():
    tables = [
        [row.scores.tolist() for row in Bench(*patches(".#.##"), max_batch=size).run().rows]
        for size in (1, 2, 16)
    ]
    assert tables[0] == tables[1] == tables[2]


def test_only_the_labels_that_are_looked_for_are_seen():
    bench = Bench(*patches(".#"), end(1.5), plan=make_plan(labels=("quiet",))).run()
    assert {notice.event.label for notice in bench.sink.events} == {"quiet"}
    assert [row.scores.shape for row in bench.rows] == [(1,), (1,)]
    assert bench.rows[0].scores.tolist() == [1.0]


def test_the_tap_sees_scores_and_embeddings_as_the_engine_gave_them():
    row = Bench(*patches("#")).run().rows[0]
    assert row.scores.tolist() == [1.0, 0.0]
    assert row.embedding is not None
    assert row.embedding.tolist() == pytest.approx([1.0])
    assert (row.source, row.level_dbfs) == ("hall", -20.0)


def test_health_counts_what_was_analysed():
    bench = Bench(*patches("#.#."), end(2.4)).run()
    source = bench.health.sources["hall"]
    assert (source.patches, source.level_dbfs) == (4, -120.0)
    assert source.events.tolist() == [2, 2]
    assert not source.active.any()
    assert not source.up
    assert source.last_patch_at == pytest.approx(time.time(), abs=60)
    assert "inference" in bench.health.heartbeats


def test_health_shows_what_is_active_and_its_smoothed_scores():
    bench = Bench(*patches("#"))
    source = bench.health.sources["hall"]
    states: list[tuple[list[bool], list[float]]] = []

    def look(notice: object) -> None:
        if isinstance(notice, EventNotice):
            states.append((source.active.tolist(), source.scores.tolist()))

    bench.inference = Inference(
        bench.engine, bench.plan, bench.queue, bench.health, look, max_batch=1, max_wait_seconds=0.0
    )
    bench.run()
    assert states[0] == ([True, False], [1.0, 0.0])
    assert states[-1][0] == [False, False]


def test_scores_that_are_no_numbers_end_it_with_an_error():
    bench = Bench(*patches("...."), engine=NanEngine(broken_from=2), max_batch=1)
    with pytest.raises(EngineError, match="scores that are not finite"):
        bench.run()
    assert len(bench.rows) == 2
    assert bench.health.engine_failed


def test_without_sound_it_ends_when_the_queue_is_closed():
    assert np.array(Bench().run().rows).size == 0
