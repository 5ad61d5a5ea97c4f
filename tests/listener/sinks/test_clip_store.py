"""The sink stores and counts clips, and uses the labels of another bundle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from listener.clips.store import ClipStore
from listener.detection.clip import ClipError
from listener.health import Health
from listener.sinks.clip_store import ClipsSink
from listener.sinks.metrics import HealthCollector
from listener.sinks.sink import BundleNotice, ClipNotice
from tests.listener.clips.drafts import LABELS, clip_id, heard, make_draft, open_store
from tests.listener.sinks.notices import manifest


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ClipStore]:
    with closing(open_store(tmp_path)) as opened:
        yield opened


def values(health: Health) -> dict[str, float]:
    metrics = HealthCollector(health).collect()
    return {s.name: s.value for m in metrics for s in m.samples if "clip" in s.name}


def test_clips_are_stored_and_counted(store: ClipStore):
    health = Health(LABELS, "test@1")
    assert values(health) == {}  # no clips are kept
    store.add(make_draft(0))
    sink = ClipsSink(store, health)
    assert values(health)["listener_clips_stored"] == 1  # from an earlier run
    sink.handle(ClipNotice(make_draft(1)))
    sink.close()
    assert [record.id for record in store.find()] == [clip_id(1), clip_id(0)]
    assert values(health) == {
        "listener_clips_stored": 2,
        "listener_clips_bytes": store.totals().bytes,
        "listener_clip_errors_total": 0,
    }


def test_another_bundle_brings_the_labels_that_verdicts_may_name(store: ClipStore):
    store.add(make_draft(0))
    with pytest.raises(ClipError, match="expected labels of the bundle"):
        store.judge(clip_id(0), heard("doorbell"))
    bundle = manifest()
    sink = ClipsSink(store, Health(LABELS, "test@1"))
    sink.handle(BundleNotice(bundle, ("smoke_alarm",), 1.0))
    assert store.judge(clip_id(0), heard("doorbell")).heard == heard("doorbell").labels
