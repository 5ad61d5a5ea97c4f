"""What goes first: too old, then too much, and clips with a verdict last of all."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path

import pytest

from listener.clips.store import ClipStore
from listener.detection.clip_files import clip_bytes, sidecar_path
from tests.listener.clips.drafts import (
    DAY_SECONDS,
    LABELS,
    Opener,
    clip_id,
    make_draft,
    right,
    settings,
)


def numbers(store: ClipStore) -> list[int]:
    ids = {clip_id(number): number for number in range(10)}
    return sorted(ids[record.id] for record in store.find())


def test_clips_without_a_verdict_go_when_they_are_too_old(open_store: Opener, tmp_path: Path):
    store = open_store(tmp_path, keep_days=3.0)
    paths = [store.add(make_draft(number)).path for number in range(3)]
    store.judge(clip_id(1), right())
    for path, days in zip(paths, (4, 4, 2), strict=True):
        stored_at = time.time() - days * DAY_SECONDS
        os.utime(sidecar_path(path), (stored_at, stored_at))
    store.close()
    store = open_store(tmp_path, keep_days=3.0)
    store.add(make_draft(3))
    assert numbers(store) == [1, 2, 3]


@pytest.mark.parametrize(("settled", "kept"), [(True, []), (False, [0, 1, 2, 3])])
def test_a_clock_that_jumps_ahead_deletes_nothing(
    tmp_path: Path, settled: bool, kept: list[int], monkeypatch: pytest.MonkeyPatch
):
    """400 days for a moment; the control is a store that takes the clock at its word."""
    ahead = 400 * DAY_SECONDS
    clock = (lambda: time.time() + ahead) if settled else None
    with closing(ClipStore(settings(tmp_path / "clips", keep_days=90.0), LABELS)) as store:
        for number in range(3):
            store.add(make_draft(number))
    with closing(ClipStore(settings(tmp_path / "clips", keep_days=90.0), LABELS, clock)) as store:
        now = time.time
        monkeypatch.setattr(time, "time", lambda: now() + (0.0 if settled else ahead))
        store.add(make_draft(3))
        monkeypatch.undo()
        assert numbers(store) == kept


def test_the_oldest_go_when_all_take_too_much_and_judged_ones_last(
    open_store: Opener, tmp_path: Path
):
    size = clip_bytes(open_store(tmp_path / "other").add(make_draft()).path)
    bound = 3.5 * size / 1e6  # three clips, a verdict more or less
    store = open_store(tmp_path, keep_megabytes=bound)
    store.add(make_draft(0))
    store.judge(clip_id(0), right())
    for number in range(1, 5):
        store.add(make_draft(number))
    assert numbers(store) == [0, 3, 4]
    for number in (3, 4):
        store.judge(clip_id(number), right())
    store.add(make_draft(5))
    assert numbers(store) == [0, 3, 4]  # the only one without a verdict went at once
    assert store.totals().bytes <= bound * 1e6


def test_what_is_gone_leaves_no_file_and_is_not_found_as_similar(
    open_store: Opener, tmp_path: Path
):
    size = clip_bytes(open_store(tmp_path / "other").add(make_draft()).path)
    store = open_store(tmp_path, keep_megabytes=1.5 * size / 1e6)
    gone = store.add(make_draft(0, embedding=(1.0, 0.0)))
    store.add(make_draft(1, embedding=(0.0, 1.0)))
    assert not list(gone.path.parent.glob(f"{gone.id}*"))
    assert store.similar(clip_id(1)) == ()
    store.add(make_draft(2, embedding=(1.0, 1.0)))  # takes the free row
    assert (tmp_path / "clips" / "index" / "embeddings-2.f32").stat().st_size == 2 * 2 * 4
