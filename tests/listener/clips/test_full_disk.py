"""A disk that is full: older clips make room; where there are none, nothing half-written is left."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.clips.layout import day_directories
from listener.clips.store import ClipStore
from listener.detection.clip import ClipError
from listener.detection.clip_files import read_audio
from listener.health import Health
from listener.sinks.clips import ClipsSink
from listener.sinks.sink import ClipNotice
from tests.listener.clips.cuttings import LABELS, clip_id, make_cutting, right, settings


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Four megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """A file of someone else's that leaves no room."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for block in (b"\0" * 65_536, b"\0" * 4096):
            try:
                while file.write(block) == len(block):
                    pass
            except OSError:
                continue
    return ballast


def test_older_clips_make_room_for_new_ones(small_disk: Path):
    store = ClipStore(settings(small_disk / "clips"), LABELS)
    for number in range(150):  # each takes a good 32 kB
        store.add(make_cutting(number))
    records = store.find(limit=200)
    assert records[0].id == clip_id(149)
    assert 10 < len(records) < 149
    for record in records:
        read_audio(record)
    assert store.judge(clip_id(149), right()).verdict == right()
    store.close()


def test_without_room_a_clip_is_lost_whole_and_the_loss_told_once(
    small_disk: Path, caplog: pytest.LogCaptureFixture
):
    store = ClipStore(settings(small_disk / "clips"), LABELS)
    ballast = fill(small_disk)
    health = Health(LABELS, "test@1")
    sink = ClipsSink(store, health)
    for number in range(3):
        sink.handle(ClipNotice(make_cutting(number)))
    assert (health.clip_errors, health.clips_stored) == (3, 0)
    assert [list(day.iterdir()) for day in day_directories(small_disk / "clips")] in ([], [[]])
    warnings = [
        record for record in caplog.records if "lost until further notice" in record.message
    ]
    assert len(warnings) == 1
    assert "No space left on device" in warnings[0].message
    with pytest.raises(ClipError, match="cannot be stored: No space left on device"):
        store.add(make_cutting(4))
    ballast.unlink()
    sink.handle(ClipNotice(make_cutting(5)))
    assert (health.clip_errors, health.clips_stored) == (3, 1)
    store.close()
