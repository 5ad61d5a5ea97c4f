"""Another bundle between two batches: every patch once, events end with the bundle that heard them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from listener.detection.bundle import Label, Manifest
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from listener.detection.scores import PatchScores
from listener.pipeline.capture import SourcePlan
from listener.pipeline.chunk_queue import ChunkQueue
from listener.pipeline.inference import Inference
from listener.pipeline.plan import Detection, DetectionPlan, SourcePolicies
from listener.sinks.sink import BundleNotice, EventNotice, Notice
from tests.doubles import (
    DEADLINE_SECONDS,
    LABELS,
    ArraySource,
    ListSink,
    LoudnessEngine,
    NewestEngine,
    Openings,
    Outputs,
)
from tests.listener.detection.waveforms import RATE_HZ, noise
from tests.listener.pipeline.stages import (
    FLOW,
    HOP,
    PARAMS,
    POLICY,
    WINDOW,
    chunk,
    make_health,
    make_pipeline,
    make_plan,
)
from tests.rigs.mosquitto import wait_until

SOURCES = ("hall", "barn", "yard")
MANIFEST = Manifest(
    "other",
    2,
    "2026-11-01T00:00:00Z",
    tuple(Label(slug, slug.title()) for slug in LABELS),
    dict.fromkeys(LABELS, POLICY),
)
SHORT_HOP = FeatureParams(patch_hop_seconds=0.24)


def other_plan(params: FeatureParams = PARAMS) -> DetectionPlan:
    return replace(make_plan(), bundle="other@2", params=params)


class Bench:
    """Chunks of three sources through an inference that is told of a change after some rows."""

    def __init__(self, loud: str, wanted: Detection, after: int, engine: LoudnessEngine) -> None:
        self.engine, self._wanted, self._after = engine, wanted, after
        self.health = make_health(*SOURCES)
        self.notices: list[Notice] = []
        self.rows: list[PatchScores] = []
        self.recuts: list[tuple[str, int]] = []
        queue = ChunkQueue(SOURCES, 1_000)
        for number, sign in enumerate(loud):
            for source in SOURCES:
                queue.put(chunk(number, source, loud=sign == "#"))
        queue.close()
        self.inference = Inference(
            engine,
            make_plan(),
            queue,
            self.health,
            self.notices.extend,
            max_batch=2,
            max_wait_seconds=0.0,
            tap=self._take,
            recut=lambda source, _, start: self.recuts.append((source, start)),
        )
        self.inference.run()

    def _take(self, row: PatchScores) -> None:
        self.rows.append(row)
        if len(self.rows) == self._after:
            self.inference.wanted = self._wanted

    def of(self, source: str) -> list[PatchScores]:
        return [row for row in self.rows if row.source == source]

    def loud(self, source: str = "hall") -> list[tuple[float, float, str, str | None]]:
        """Onset, offset, bundle and reason of the ended `loud` events."""
        events = [n.event for n in self.notices if isinstance(n, EventNotice)]
        return [
            (round(event.onset, 6), round(event.offset, 6), event.bundle, event.reason)
            for event in events
            if (event.source, event.label) == (source, "loud") and event.offset is not None
        ]


def assert_every_slot_once(rows: Sequence[PatchScores], seconds: float) -> None:
    offsets = [row.offset for row in rows]
    assert [row.onset for row in rows] == pytest.approx([0.0, *offsets[:-1]])
    assert offsets[-1] == pytest.approx(seconds)


def test_no_patch_of_three_sources_is_lost_or_analysed_twice():
    old, new = NewestEngine(), NewestEngine()
    bench = Bench("##########", Detection(new, other_plan(), MANIFEST), 14, old)
    assert (sum(old.batches), sum(new.batches)) == (14, 16)
    for source in SOURCES:
        assert len(bench.of(source)) == 10
        assert_every_slot_once(bench.of(source), 0.7275 + 9 * 0.48)


def test_events_end_with_the_bundle_and_the_next_one_hears_on_from_there():
    bench = Bench(
        "##########", Detection(NewestEngine(), other_plan(), MANIFEST), 14, NewestEngine()
    )
    first, second = bench.loud()
    changed_at = round(
        bench.of("hall")[4].offset, 6
    )  # 14 rows: five of the hall, the first in each turn
    assert first == (0.0, changed_at, "doubles@1", "bundle")
    assert second[:1] + second[2:] == (changed_at, "other@2", "shutdown")


def test_the_notice_of_the_bundle_parts_the_events_of_both():
    bench = Bench(
        "##########", Detection(NewestEngine(), other_plan(), MANIFEST), 14, NewestEngine()
    )
    at = [type(notice) for notice in bench.notices].index(BundleNotice)
    before = {n.event.bundle for n in bench.notices[:at] if isinstance(n, EventNotice)}
    after = {n.event.bundle for n in bench.notices[at:] if isinstance(n, EventNotice)}
    assert (before, after) == ({"doubles@1"}, {"other@2"})
    notice = bench.notices[at]
    assert isinstance(notice, BundleNotice)
    assert (notice.manifest, notice.labels) == (MANIFEST, LABELS)
    assert bench.health.bundle == "other@2"


def test_another_patch_hop_loses_no_sample_and_hears_none_twice():
    wanted = Detection(LoudnessEngine(), other_plan(SHORT_HOP), MANIFEST)
    bench = Bench("##########", wanted, 12, NewestEngine())
    end = (WINDOW + 9 * HOP) / RATE_HZ
    for source in SOURCES:
        rows = bench.of(source)
        old, new = rows[:4], rows[4:]
        assert_every_slot_once(old, 0.7275 + 3 * 0.48)
        heard = (WINDOW + 3 * HOP) / RATE_HZ
        assert new[0].onset == pytest.approx(heard)  # from the first sample that nobody has heard
        assert [row.onset for row in new[1:]] == pytest.approx([row.offset for row in new[:-1]])
        assert new[-1].offset <= end
        # a window and then 0.24 s each: 6 hops of 0.48 s hold 1 + floor((6 * 7680 - 15600) / 3840)
        assert len(new) == 1 + (6 * HOP - WINDOW) // 3840
    assert sorted(bench.recuts) == sorted((source, WINDOW + 3 * HOP) for source in SOURCES)
    assert bench.loud()[0][1:] == (round(heard, 6), "doubles@1", "bundle")


def test_what_no_patch_has_covered_goes_to_the_engine_before():
    """After a change of hop the queued chunks end between patches; then the bundle changes again."""
    stream = [chunk(number, "hall") for number in range(6)]
    rows: list[PatchScores] = []
    queue = ChunkQueue(["hall"], 100)
    for item in stream:
        queue.put(item)
    queue.close()
    odd = FeatureParams(patch_hop_seconds=0.30)
    first, second = LoudnessEngine(), LoudnessEngine()
    wanted = {
        1: Detection(first, other_plan(odd), MANIFEST),
        4: Detection(second, other_plan(), MANIFEST),
    }

    def take(row: PatchScores) -> None:
        rows.append(row)
        inference.wanted = wanted.get(len(rows), inference.wanted)

    inference = Inference(
        LoudnessEngine(), make_plan(), queue, make_health("hall"), lambda _: None,
        max_batch=1, max_wait_seconds=0.0, tap=take,
    )  # fmt: skip
    inference.run()
    spans = [(row.onset, row.offset) for row in rows]
    # 0.975 s by the first; then three hops of 0.48 s: patches at 0.975 and 1.275, and a padded rest
    assert [onset for onset, _ in spans[:2]] == pytest.approx([0.0, 0.975])
    assert sum(first.batches) + sum(second.batches) == len(rows) - 1
    assert [onset for onset, _ in spans[2:]] == sorted(onset for onset, _ in spans[2:])


def test_other_labels_bring_other_numbers_and_keep_the_counts_of_those_that_stay():
    plan = replace(make_plan(labels=("quiet",)), bundle="other@2")
    bench = Bench("..........", Detection(NewestEngine(), plan, MANIFEST), 14, NewestEngine())
    numbers = bench.health.sources["hall"].by_label
    assert (numbers.labels, numbers.events.tolist()) == (("quiet",), [2])  # one under each bundle
    assert bench.rows[-1].scores.shape == (1,)
    assert bench.health.labels == ("quiet",)


class FaintEngine(NewestEngine):
    """Noise at -20 dBFS scores 0.8."""

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        """Four fifths of the scores."""
        scores, embeddings = super().infer(patches)
        return scores * np.float32(0.8), embeddings


def test_another_threshold_of_one_source_changes_no_score_and_no_other_source():
    engine = FaintEngine()
    high = LabelPolicy(on_threshold=0.9, off_threshold=0.85, smoothing_seconds=0.0)
    strict = {"hall": SourcePolicies({"loud": high, "quiet": POLICY})}
    wanted = Detection(engine, replace(make_plan(), by_source=strict), MANIFEST)
    bench = Bench("##########", wanted, 14, engine)
    changed_at = round(bench.of("hall")[4].offset, 6)
    assert sum(engine.batches) == 30
    assert {round(float(row.scores[0]), 5) for row in bench.rows} == {0.8}
    assert bench.loud("hall") == [(0.0, changed_at, "doubles@1", None)]
    assert [reason for *_, reason in bench.loud("barn")] == ["shutdown"]
    shown = {name: source.by_label for name, source in bench.health.sources.items()}
    assert shown["hall"].on_thresholds.tolist() == pytest.approx([0.9, 0.5])
    assert shown["barn"].on_thresholds.tolist() == pytest.approx([0.5, 0.5])


def test_a_muted_label_ends_its_event_and_begins_none():
    engine = NewestEngine()
    muted = {"hall": SourcePolicies(dict.fromkeys(LABELS, POLICY), frozenset({"loud"}))}
    wanted = Detection(engine, replace(make_plan(), by_source=muted), MANIFEST)
    bench = Bench("######.###", wanted, 14, engine)
    changed_at = round(bench.of("hall")[4].offset, 6)
    assert bench.loud("hall") == [(0.0, changed_at, "doubles@1", "muted")]
    assert len(bench.loud("barn")) == 2
    assert {float(row.scores[0]) for row in bench.of("hall")} == {0.0, 1.0}  # scores go on


OF_ONE_SOURCE = 4  # chunks wait at most, where the queue is for two seconds


@pytest.mark.parametrize("hop_seconds", [0.24, 0.48, 0.96])
def test_a_running_pipeline_changes_its_hop_without_a_hole(hop_seconds: float):
    """Through real captures and queues; the change comes when some of the sound is in the queue."""
    rows: list[PatchScores] = []
    sink = ListSink()
    plans = [
        SourcePlan(name, Openings(ArraySource(noise(30 * RATE_HZ), name=name)), lossless=True,
                   restarts=False)
        for name in SOURCES
    ]  # fmt: skip
    params = FeatureParams(patch_hop_seconds=hop_seconds)
    other_hop = hop_seconds != make_plan().params.patch_hop_seconds
    wanted = Detection(LoudnessEngine(), other_plan(params), MANIFEST)

    class Adopting(LoudnessEngine):
        def infer(self, patches: NDArray[np.float32]) -> Outputs:
            if not rows:  # no source is through before each has begun
                wait_until(all_wait, DEADLINE_SECONDS, "chunks of each")
            if {row.source for row in rows} == set(SOURCES):
                pipeline.adopt(wanted)
            return super().infer(patches)

    def all_wait() -> bool:
        pipeline.tick()
        return health.queue_depths["inference"] > OF_ONE_SOURCE * (len(SOURCES) - 1)

    few = replace(FLOW, engine=FLOW.engine.model_copy(update={"queue_seconds": 2.0}))
    pipeline, health = make_pipeline(plans, {"list": sink}, Adopting(), few, rows)
    pipeline.run_to_end()
    assert health.bundle == "other@2"
    for name in SOURCES:
        own = [row for row in rows if row.source == name]
        gaps = [row.onset - before.offset for before, row in itertools.pairwise(own)]
        # the last patch before speaks for its centre, the first one after from its beginning on
        assert [round(gap, 4) for gap in gaps if abs(gap) > 1e-6] == ([0.2475] if other_hop else [])
        assert own[-1].offset == pytest.approx(30.0, abs=0.5)
        events = [n.event for n in sink.events if n.event.source == name]
        loud = [event for event in events if event.label == "loud" and event.offset is not None]
        assert [event.bundle for event in loud] == ["doubles@1", "other@2"]
        assert loud[0].reason == "bundle"
        assert loud[1].onset == pytest.approx(loud[0].offset)
