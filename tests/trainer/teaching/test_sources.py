"""Sources one after another, and read once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.trainer.model.examples import make_source
from trainer.data.patches import ClipPatches
from trainer.teaching.sources import Held, InMemory, Joined, Thinned


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
    for place in range(3):
        np.testing.assert_array_equal(joined.load(place).inputs[0], np.eye(3)[place])
    with pytest.raises(IndexError, match="expected one of 3 clips"):
        joined.load(3)


def test_a_thinned_source_has_every_other_patch_and_twice_the_hop():
    source = make_source(["a"])
    patches = (ClipPatches(np.arange(5.0, dtype=np.float32)[:, None], 1.0),)
    thinned = Thinned(replace(source, patches=patches), 2)
    np.testing.assert_array_equal(thinned.load(0).inputs[:, 0], [0, 2, 4])
    assert thinned.features.patch_hop_seconds == pytest.approx(0.96)
    assert thinned.table == source.table


def test_what_is_held_is_read_once():
    source = Counting(make_source(["a", "b"]))
    held = Held(source)
    for _ in range(3):
        np.testing.assert_array_equal(held.load(1).inputs[0], [0, 1, 0])
    assert source.reads == [1]


def test_what_there_is_no_room_for_is_read_again():
    """Two patches of three float32 are 24 bytes: there is room for one clip."""
    source = Counting(make_source(["a", "b"]))
    held = Held(source, room_bytes=30)
    for index in (0, 1, 0, 1):
        held.load(index)
    assert source.reads == [0, 1, 1]
