"""Sources joined, thinned out and read once, and the memory that a bundle keeps of its clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle, BundleError
from listener.detection.clip import LabelSpan
from tests.trainer.data.doubles import CountingSource, make_clip, make_table
from tests.trainer.model.examples import make_source
from trainer.data.clips import Clip
from trainer.data.patches import ClipPatches
from trainer.training import sampling
from trainer.training.sampling import (
    MEMORY_FILE,
    MOST_EMBEDDINGS,
    CachedPatches,
    InMemory,
    Joined,
    Strided,
    draw_memory,
    memory_bytes,
    read_memory,
    thin_out,
)


class Counting:
    """A source that counts what is read."""

    def __init__(self, source: InMemory) -> None:
        self.table, self.features = source.table, source.features
        self.reads: list[int] = []
        self._source = source

    def load(self, index: int) -> ClipPatches:
        self.reads.append(index)
        return self._source.load(index)


def test_joined_sources_are_one_after_another():
    joined = Joined((make_source(["a", "b"]), make_source(["c"])))
    assert [sorted(clip.labels) for clip in joined.table.clips] == [["a"], ["b"], ["c"]]
    for index in range(3):
        np.testing.assert_array_equal(joined.load(index).inputs[0], np.eye(3)[index])
    with pytest.raises(IndexError, match="expected one of 3 clips"):
        joined.load(3)


def test_a_strided_source_has_every_other_patch_and_twice_the_hop():
    source = make_source(["a"])
    patches = (ClipPatches(np.arange(5.0, dtype=np.float32)[:, None], 1.0),)
    strided = Strided(replace(source, patches=patches), 2)
    np.testing.assert_array_equal(strided.load(0).inputs[:, 0], [0, 2, 4])
    assert strided.features.patch_hop_seconds == pytest.approx(0.96)
    assert strided.table == source.table


def test_what_is_cached_is_read_once():
    source = Counting(make_source(["a", "b"]))
    cached = CachedPatches(source)
    for _ in range(3):
        np.testing.assert_array_equal(cached.load(1).inputs[0], [0, 1, 0])
    assert source.reads == [1]


def test_what_does_not_fit_in_the_cache_is_read_again():
    """Two patches of three float32 are 24 bytes: one clip fits."""
    source = Counting(make_source(["a", "b"]))
    cached = CachedPatches(source, limit_bytes=30)
    for index in (0, 1, 0, 1):
        cached.load(index)
    assert source.reads == [0, 1, 1]


def clips(count: int) -> list[Clip]:
    return [make_clip(Path(f"{number}.wav")) for number in range(count)]


def test_the_memory_holds_every_clip(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sampling, "MOST_EMBEDDINGS", 6)
    found = draw_memory(CountingSource(make_table(*clips(3))))
    assert found[:, 0].tolist() == [0, 0, 1, 1, 2, 2]


def test_of_many_clips_some_are_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sampling, "MOST_EMBEDDINGS", 3)
    found = draw_memory(CountingSource(make_table(*clips(6))))
    assert found[:, 0].tolist() == [0, 2, 4]


def test_the_memory_holds_only_what_is_heard():
    """Of ten patches in five seconds one and a half are within the first second."""
    clip = replace(clips(1)[0], spans=(LabelSpan("dog", 0.0, 1.0),))
    assert len(draw_memory(CountingSource(make_table(clip)))) == 2


def test_what_is_thinned_out_stays_bounded_from_the_first_to_the_last():
    many = np.arange(MOST_EMBEDDINGS + 20, dtype=np.float32)[:, None]
    thinned = thin_out(many, MOST_EMBEDDINGS)
    assert len(thinned) == MOST_EMBEDDINGS
    assert thinned[[0, -1], 0].tolist() == [0.0, MOST_EMBEDDINGS + 19]
    assert len(thin_out(many[:40], MOST_EMBEDDINGS)) == 40


def test_the_memory_comes_back_out_of_a_bundle(tones_bundle: Bundle, tmp_path: Path):
    assert read_memory(tones_bundle) is None
    (tmp_path / MEMORY_FILE).write_bytes(memory_bytes(np.full((3, 2), 0.5, np.float32)))
    listed = Bundle(tmp_path, replace(tones_bundle.manifest, files={MEMORY_FILE: ""}))
    np.testing.assert_array_equal(read_memory(listed), np.full((3, 2), 0.5))
    (tmp_path / MEMORY_FILE).write_bytes(b"torn")
    with pytest.raises(BundleError, match="expected embeddings"):
        read_memory(listed)
