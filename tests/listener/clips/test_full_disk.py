"""A disk that is full: older clips make room; where there are none, nothing half-written is left."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.clips.layout import day_directories
from listener.clips.store import ClipStore
from listener.detection.clip import ClipError
from listener.detection.clip_files import read_audio
from listener.health import Health
from listener.sinks.clip_store import ClipsSink
from listener.sinks.sink import ClipNotice
from tests.listener.clips.drafts import LABELS, clip_id, make_draft, right, settings
from tests.rigs.full_disk import fill, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", megabytes=4) as mounted:
        yield mounted


def test_older_clips_make_room_for_new_ones(disk: Path):
    store = ClipStore(settings(disk / "clips", keep_free_megabytes=0), LABELS)
    for number in range(150):  # each takes a good 32 kB
        store.add(make_draft(number))
    records = store.find(limit=200)
    assert records[0].id == clip_id(149)
    assert 10 < len(records) < 149
    for record in records:
        read_audio(record)
    assert store.judge(clip_id(149), right()).verdict == right()
    store.close()


def test_a_reserve_stays_free_while_clips_come(disk: Path):
    store = ClipStore(settings(disk / "clips", keep_free_megabytes=2), LABELS)
    for number in range(100):
        store.add(make_draft(number))
        assert shutil.disk_usage(disk).free > 1_900_000  # the index may have grown a little
    assert store.find(limit=1)[0].id == clip_id(99)
    store.close()


def test_clips_go_when_something_else_fills_the_disk(disk: Path):
    store = ClipStore(settings(disk / "clips", keep_free_megabytes=1), LABELS)
    for number in range(20):
        store.add(make_draft(number))
    store.judge(clip_id(3), right())
    ballast = fill(disk)
    store.keep_reserve()
    assert [record.id for record in store.find()] == [clip_id(3)]
    with pytest.raises(ClipError, match="cannot be stored: the disk lacks"):
        store.add(make_draft(50))
    ballast.unlink()
    store.add(make_draft(50))
    store.close()


def test_without_room_a_clip_is_lost_whole_and_the_loss_told_once(
    disk: Path, caplog: pytest.LogCaptureFixture
):
    store = ClipStore(settings(disk / "clips", keep_free_megabytes=0), LABELS)
    ballast = fill(disk)
    health = Health(LABELS, "test@1")
    sink = ClipsSink(store, health)
    for number in range(3):
        sink.handle(ClipNotice(make_draft(number)))
    assert (health.clip_errors, health.clips_stored) == (3, 0)
    assert [list(day.iterdir()) for day in day_directories(disk / "clips")] in ([], [[]])
    warnings = [
        record for record in caplog.records if "lost until further notice" in record.message
    ]
    assert len(warnings) == 1
    assert "No space left on device" in warnings[0].message
    with pytest.raises(ClipError, match="cannot be stored: No space left on device"):
        store.add(make_draft(4))
    ballast.unlink()
    sink.handle(ClipNotice(make_draft(5)))
    assert (health.clip_errors, health.clips_stored) == (3, 1)
    store.close()
