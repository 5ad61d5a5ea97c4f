"""What a bundle remembers: a few embeddings of where its labels are heard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle, BundleError
from listener.detection.clip import LabelSpan
from tests.trainer.data.doubles import CountingSource, make_clip, make_table
from trainer.data.clips import Clip
from trainer.teaching import memory
from trainer.teaching.memory import (
    MEMORY_FILE,
    MOST_EMBEDDINGS,
    memory_bytes,
    read_memory,
    remember,
    thin_out,
)


def clips(count: int) -> list[Clip]:
    return [make_clip(Path(f"{number}.wav")) for number in range(count)]


def test_every_clip_is_remembered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "MOST_EMBEDDINGS", 6)
    found = remember(CountingSource(make_table(*clips(3))))
    assert found[:, 0].tolist() == [0, 0, 1, 1, 2, 2]


def test_of_many_clips_some_are_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "MOST_EMBEDDINGS", 3)
    found = remember(CountingSource(make_table(*clips(6))))
    assert found[:, 0].tolist() == [0, 2, 4]


def test_only_what_is_heard_is_remembered():
    """Of ten patches in five seconds one and a half are within the first second."""
    clip = replace(clips(1)[0], spans=(LabelSpan("dog", 0.0, 1.0),))
    assert len(remember(CountingSource(make_table(clip)))) == 2


def test_memories_together_stay_bounded():
    first, second = np.zeros((MOST_EMBEDDINGS, 2), np.float32), np.ones((20, 2), np.float32)
    together = thin_out([first, second])
    assert len(together) == MOST_EMBEDDINGS
    assert together[-1, 0] == 1.0
    assert len(thin_out([second, second])) == 40


def test_it_comes_back_out_of_a_bundle(tones_bundle: Bundle, tmp_path: Path):
    assert read_memory(tones_bundle) is None
    (tmp_path / MEMORY_FILE).write_bytes(memory_bytes(np.full((3, 2), 0.5, np.float32)))
    listed = Bundle(tmp_path, replace(tones_bundle.manifest, files={MEMORY_FILE: ""}))
    np.testing.assert_array_equal(read_memory(listed), np.full((3, 2), 0.5))
    (tmp_path / MEMORY_FILE).write_bytes(b"torn")
    with pytest.raises(BundleError, match="expected embeddings"):
        read_memory(listed)
