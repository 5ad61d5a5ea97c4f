"""The sink stores and counts clips, and uses the labels of another bundle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from listener.clips.layout import StoreBusyError
from listener.clips.store import ClipStore
from listener.config.station import ClipsSettings
from listener.detection.clip import ClipDraft, ClipError, ClipRecord
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


class Clock:
    """Monotonic seconds that a test sets."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class BusyStore(ClipStore):
    """A store whose lock another process holds until the clock's `free_at`; each attempt takes 5 s."""

    def __init__(self, settings: ClipsSettings, clock: Clock, free_at: float) -> None:
        super().__init__(settings, LABELS)
        self._clock, self._free_at = clock, free_at

    def add(self, draft: ClipDraft) -> ClipRecord:
        self._clock.seconds += 5.0
        if self._clock.seconds < self._free_at:
            raise StoreBusyError("another process holds the store's lock")
        return super().add(draft)


@pytest.mark.parametrize(
    ("free_at", "stored", "lost"), [(50.0, 2, 0), (65.0, 1, 1), (1000.0, 0, 2)]
)
def test_clips_wait_a_minute_for_the_lock_and_then_each_for_one_attempt(
    tmp_path: Path, free_at: float, stored: int, lost: int, caplog: pytest.LogCaptureFixture
):
    clock, health = Clock(), Health(LABELS, "test@1")
    settings = ClipsSettings(enabled=True, directory=tmp_path / "clips")
    with closing(BusyStore(settings, clock, free_at)) as busy:
        sink = ClipsSink(busy, health, clock)
        for number in range(2):
            sink.handle(ClipNotice(make_draft(number)))
        assert (busy.totals().clips, health.clip_errors) == (stored, lost)
    assert clock.seconds <= 70.0
    assert caplog.text.count("lost until further notice") == min(lost, 1)
    assert "sink:clips" in health.heartbeats  # it waits, and does not hang
