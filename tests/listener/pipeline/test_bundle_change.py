"""Another bundle between two batches: every patch once, events end with the bundle that detected them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from listener.detection.bundle import Label, Manifest
from listener.detection.framing import PatchGrid
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from listener.detection.scores import PatchScores
from listener.pipeline.capture import SourcePlan
from listener.pipeline.plan import Detection, DetectionPlan, SourcePolicies
from listener.sinks.sink import BundleNotice, EventNotice
from tests import doubles
from tests.doubles import LABELS, ArraySource, ListSink, LoudnessEngine, NewestEngine, Openings
from tests.listener.detection.waveforms import RATE_HZ, noise
from tests.listener.pipeline import stages
from tests.listener.pipeline.stages import HOP, PARAMS, POLICY, WINDOW, Bench, chunks, make_plan
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


def change(pattern: str, wanted: Detection, after: int, engine: LoudnessEngine) -> Bench:
    """Three sources with the same sound; the change is wanted after so many rows."""
    of_sources = [chunks(pattern, source) for source in SOURCES]
    items = itertools.chain.from_iterable(zip(*of_sources, strict=True))
    return Bench(*items, engine=engine, max_batch=2, changes={after: wanted}).run()


def loud(bench: Bench, source: str = "hall") -> list[tuple[float, float, str, str | None]]:
    """Onset, offset, bundle and reason of the ended `loud` events."""
    return [
        (round(event.onset, 6), round(event.offset, 6), event.bundle, event.reason)
        for event in (notice.event for notice in bench.sink.events)
        if (event.source, event.label) == (source, "loud") and event.offset is not None
    ]


def assert_every_slot_once(rows: Sequence[PatchScores], seconds: float) -> None:
    offsets = [row.offset for row in rows]
    assert [row.onset for row in rows] == pytest.approx([0.0, *offsets[:-1]])
    assert offsets[-1] == pytest.approx(seconds)


def test_no_patch_of_three_sources_is_lost_or_analysed_twice():
    old, new = NewestEngine(), NewestEngine()
    bench = change("##########", Detection(new, other_plan(), MANIFEST), 14, old)
    assert (sum(old.batches), sum(new.batches)) == (14, 16)
    for source in SOURCES:
        assert len(bench.rows_of(source)) == 10
        assert_every_slot_once(bench.rows_of(source), 0.7275 + 9 * 0.48)


def test_events_end_with_the_bundle_and_the_next_ones_begin_there():
    wanted = Detection(NewestEngine(), other_plan(), MANIFEST)
    bench = change("##########", wanted, 14, NewestEngine())
    first, second = loud(bench)
    # 14 rows: five of the hall, the first in each turn
    changed_at = round(bench.rows_of("hall")[4].offset, 6)
    assert first == (0.0, changed_at, "doubles@1", "bundle")
    assert second[:1] + second[2:] == (changed_at, "other@2", "shutdown")


def test_the_notice_of_the_bundle_is_between_the_events_of_both():
    wanted = Detection(NewestEngine(), other_plan(), MANIFEST)
    bench = change("##########", wanted, 14, NewestEngine())
    at = [type(notice) for notice in bench.notices].index(BundleNotice)
    before = {n.event.bundle for n in bench.notices[:at] if isinstance(n, EventNotice)}
    after = {n.event.bundle for n in bench.notices[at:] if isinstance(n, EventNotice)}
    assert (before, after) == ({"doubles@1"}, {"other@2"})
    notice = bench.notices[at]
    assert isinstance(notice, BundleNotice)
    assert (notice.manifest, notice.labels) == (MANIFEST, LABELS)
    assert bench.health.bundle == "other@2"


def test_another_patch_hop_loses_no_sample_and_analyses_none_twice():
    wanted = Detection(LoudnessEngine(), other_plan(SHORT_HOP), MANIFEST)
    bench = change("##########", wanted, 12, NewestEngine())
    end = (WINDOW + 9 * HOP) / RATE_HZ
    for source in SOURCES:
        rows = bench.rows_of(source)
        old, new = rows[:4], rows[4:]
        assert_every_slot_once(old, 0.7275 + 3 * 0.48)
        heard = (WINDOW + 3 * HOP) / RATE_HZ
        assert new[0].onset == pytest.approx(heard)  # from the first sample that was not analysed
        assert [row.onset for row in new[1:]] == pytest.approx([row.offset for row in new[:-1]])
        assert new[-1].offset <= end
        # a window and then 0.24 s each: 6 hops of 0.48 s hold 1 + floor((6 * 7680 - 15600) / 3840)
        assert len(new) == 1 + (6 * HOP - WINDOW) // 3840
    assert bench.queue.grids == dict.fromkeys(SOURCES, PatchGrid(SHORT_HOP, WINDOW + 3 * HOP))
    assert loud(bench)[0][1:] == (round(heard, 6), "doubles@1", "bundle")


def test_samples_that_no_patch_has_covered_go_to_the_engine_before():
    """After a change of hop the queued chunks end between patches; then the bundle changes again."""
    first, second = LoudnessEngine(), LoudnessEngine()
    odd = FeatureParams(patch_hop_seconds=0.30)
    changes = {
        1: Detection(first, other_plan(odd), MANIFEST),
        4: Detection(second, other_plan(), MANIFEST),
    }
    bench = Bench(*chunks("......"), engine=LoudnessEngine(), max_batch=1, changes=changes).run()
    onsets = [row.onset for row in bench.rows]
    # 0.975 s by the first; then three hops of 0.48 s: patches at 0.975 and 1.275, and a padded rest
    assert onsets[:2] == pytest.approx([0.0, 0.975])
    assert sum(first.batches) + sum(second.batches) == len(bench.rows) - 1
    assert onsets[2:] == sorted(onsets[2:])


def test_other_labels_have_other_numbers_and_labels_of_both_keep_their_counts():
    plan = replace(make_plan(labels=("quiet",)), bundle="other@2")
    bench = change("..........", Detection(NewestEngine(), plan, MANIFEST), 14, NewestEngine())
    numbers = bench.health.sources["hall"].by_label
    assert (numbers.labels, numbers.events.tolist()) == (("quiet",), [2])  # one under each bundle
    assert bench.rows[-1].scores.shape == (1,)
    assert bench.health.labels == ("quiet",)


class FaintEngine(NewestEngine):
    """Noise at -20 dBFS scores 0.8."""

    def infer(self, patches: NDArray[np.float32]) -> doubles.Outputs:
        """Four fifths of the scores."""
        scores, embeddings = super().infer(patches)
        return scores * np.float32(0.8), embeddings


def test_another_threshold_of_one_source_changes_no_score_and_no_other_source():
    engine = FaintEngine()
    high = LabelPolicy(on_threshold=0.9, off_threshold=0.85, smoothing_seconds=0.0)
    strict = {"hall": SourcePolicies({"loud": high, "quiet": POLICY})}
    wanted = Detection(engine, replace(make_plan(), by_source=strict), MANIFEST)
    bench = change("##########", wanted, 14, engine)
    changed_at = round(bench.rows_of("hall")[4].offset, 6)
    assert sum(engine.batches) == 30
    assert {round(float(row.scores[0]), 5) for row in bench.rows} == {0.8}
    assert loud(bench) == [(0.0, changed_at, "doubles@1", None)]
    assert [reason for *_, reason in loud(bench, "barn")] == ["shutdown"]
    shown = {name: source.by_label for name, source in bench.health.sources.items()}
    assert shown["hall"].on_thresholds.tolist() == pytest.approx([0.9, 0.5])
    assert shown["barn"].on_thresholds.tolist() == pytest.approx([0.5, 0.5])


def test_a_muted_label_ends_its_event_and_begins_none():
    engine = NewestEngine()
    muted = {"hall": SourcePolicies(dict.fromkeys(LABELS, POLICY), frozenset({"loud"}))}
    wanted = Detection(engine, replace(make_plan(), by_source=muted), MANIFEST)
    bench = change("######.###", wanted, 14, engine)
    changed_at = round(bench.rows_of("hall")[4].offset, 6)
    assert loud(bench) == [(0.0, changed_at, "doubles@1", "muted")]
    assert len(loud(bench, "barn")) == 2
    assert {float(row.scores[0]) for row in bench.rows_of("hall")} == {0.0, 1.0}  # scores go on


OF_ONE_SOURCE = 4  # chunks at most wait in a queue of two seconds


@pytest.mark.parametrize("hop_seconds", [0.24, 0.48, 0.96])
def test_a_running_pipeline_changes_its_hop_without_a_hole(hop_seconds: float):
    """Through real captures and queues; the change comes while chunks are queued."""
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
        def infer(self, patches: NDArray[np.float32]) -> doubles.Outputs:
            if not rows:  # no source ends before each has begun
                wait_until(all_wait, doubles.DEADLINE_SECONDS, "chunks of each")
            if {row.source for row in rows} == set(SOURCES):
                pipeline.adopt(wanted)
            return super().infer(patches)

    def all_wait() -> bool:
        pipeline.tick()
        return health.queue_depths["inference"] > OF_ONE_SOURCE * (len(SOURCES) - 1)

    few = replace(stages.FLOW, engine=stages.FLOW.engine.model_copy(update={"queue_seconds": 2.0}))
    pipeline, health = stages.make_pipeline(plans, {"list": sink}, Adopting(), few, rows)
    pipeline.run_to_end()
    assert health.bundle == "other@2"
    for name in SOURCES:
        own = [row for row in rows if row.source == name]
        gaps = [row.onset - before.offset for before, row in itertools.pairwise(own)]
        # the last slot before ends at the centre of its patch, the first one after begins with its patch
        assert [round(gap, 4) for gap in gaps if abs(gap) > 1e-6] == ([0.2475] if other_hop else [])
        assert own[-1].offset == pytest.approx(30.0, abs=0.5)
        events = [n.event for n in sink.events if n.event.source == name]
        loud = [event for event in events if event.label == "loud" and event.offset is not None]
        assert [event.bundle for event in loud] == ["doubles@1", "other@2"]
        assert loud[0].reason == "bundle"
        assert loud[1].onset == pytest.approx(loud[0].offset)
