"""Where clips lie, and what may be removed there."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from listener.clips.layout import StoreBusyError, audio_path, only_writer, take_inventory
from listener.detection.clip import ClipError
from listener.detection.event import event_id
from tests.listener.clips.drafts import clip_id, make_draft, open_store


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (0.0, "1970/01/01"),
        (951_782_399.999, "2000/02/28"),
        (951_782_400.0, "2000/02/29"),
        (1_795_305_599.9, "2026/11/21"),
        (1_795_305_600.0, "2026/11/22"),
    ],
)
def test_a_clip_lies_in_the_folder_of_its_utc_day(tmp_path: Path, at: float, day: str):
    id_ = event_id("farm", "hall", "dog", at)
    assert audio_path(tmp_path, id_) == tmp_path / day / f"{id_}.flac"


def test_a_lock_that_is_held_is_given_up_after_its_time(tmp_path: Path):
    with (
        only_writer(tmp_path),
        pytest.raises(StoreBusyError, match="holds the store's lock"),
        only_writer(tmp_path, seconds=0.05),
    ):
        pass
    with only_writer(tmp_path, seconds=0.0):
        pass  # it is free again


def test_a_lock_is_waited_for(tmp_path: Path):
    held, gate = threading.Event(), threading.Event()

    def hold() -> None:
        with only_writer(tmp_path):
            held.set()
            gate.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(20)
    threading.Timer(0.1, gate.set).start()
    with only_writer(tmp_path, seconds=20.0):
        assert gate.is_set()
    thread.join(20)


def test_an_id_of_no_time_is_refused(tmp_path: Path):
    with pytest.raises(ClipError, match="expected a time before the year 10000"):
        audio_path(tmp_path, "Z" * 26)


def test_only_files_of_unfinished_clips_are_leftovers(tmp_path: Path):
    store = open_store(tmp_path)
    whole = store.add(make_draft(0)).path
    store.close()
    folder = whole.parent
    left = [folder / f"{clip_id(1)}.flac", folder / f"{clip_id(1)}.npz"]
    left += [folder / f"{clip_id(0)}.json.partial", folder / f"{clip_id(2)}.flac.partial"]
    others = [folder / "notes.txt", folder / "README", tmp_path / "clips" / "2026" / "x.flac"]
    for path in (*left, *others):
        path.touch()
    inventory = take_inventory(tmp_path / "clips")
    assert sorted(inventory.leftovers) == sorted(left)
    assert list(inventory.changed_ns) == [clip_id(0)]
    open_store(tmp_path).close()
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in (whole, *others))
