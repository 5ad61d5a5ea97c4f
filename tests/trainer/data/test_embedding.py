"""Clips are embedded once, and again when they change; unusable ones are quarantined."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from listener.detection.clip import LabelSpan
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams, Preprocessing
from tests.trainer.data.doubles import (
    PARAMS,
    RATE_HZ,
    MeanBackbone,
    make_clip,
    make_table,
    write_samples,
    write_tone,
)
from trainer.data.audio import read_audio
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import ClipTable
from trainer.data.embedding import embed_table, map_in_threads
from trainer.data.preparation import AS_IS, Preparation
from trainer.errors import BackboneError, DataError


@pytest.fixture
def cache(tmp_path: Path) -> EmbeddingCache:
    return EmbeddingCache(tmp_path / "cache")


@pytest.fixture
def table(tmp_path: Path) -> ClipTable:
    """Tones of 0.5 s (1 patch), 2 s (4 patches) and 40 s (83 patches, more than a batch)."""
    lengths = (("short", 0.5), ("middle", 2.0), ("long", 40.0))
    return make_table(
        *(make_clip(write_tone(tmp_path / f"{name}.wav", seconds)) for name, seconds in lengths)
    )


def test_each_clip_gets_its_own_embeddings(table: ClipTable, cache: EmbeddingCache):
    embedded = embed_table(table, MeanBackbone(), cache)
    assert embedded.table == table
    assert embedded.patch_counts == (1, 4, 83)
    assert [clip.seconds for clip in embedded.clips] == [0.5, 2.0, 40.0]
    for number, clip in enumerate(table.clips):
        patches = log_mel_patches(read_audio(clip, RATE_HZ), PARAMS)
        loaded = embedded.load(number)
        np.testing.assert_allclose(loaded.inputs[:, 0], patches.mean(axis=(1, 2)), rtol=1e-5)
        np.testing.assert_array_equal(loaded.inputs[:, 1], 1.0)


def test_the_second_time_nothing_is_embedded(table: ClipTable, cache: EmbeddingCache):
    first = embed_table(table, MeanBackbone(), cache)
    backbone = MeanBackbone()
    assert embed_table(table, backbone, cache) == first
    assert backbone.embedded == 0


def test_a_clip_that_is_added_is_embedded_alone(table: ClipTable, cache: EmbeddingCache):
    embed_table(ClipTable(table.clips[1:], table.classes), MeanBackbone(), cache)
    backbone = MeanBackbone()
    assert embed_table(table, backbone, cache).patch_counts == (1, 4, 83)
    assert backbone.embedded == 1


def half(
    samples: NDArray[np.float32], _rate: int, _random: np.random.Generator
) -> NDArray[np.float32]:
    return samples * np.float32(0.5)


@pytest.mark.parametrize(
    ("backbone", "preparation"),
    [
        (MeanBackbone("other weights"), AS_IS),
        (MeanBackbone(features=FeatureParams(patch_hop_seconds=0.24)), AS_IS),
        (MeanBackbone(features=FeatureParams(preprocessing=Preprocessing(100.0))), AS_IS),
        (MeanBackbone(features=FeatureParams(preprocessing=Preprocessing(None, -20.0))), AS_IS),
        (MeanBackbone(), Preparation("half", half)),
        (MeanBackbone(), Preparation(seed=1)),
    ],
)
def test_another_setting_never_gets_old_embeddings(
    table: ClipTable, cache: EmbeddingCache, backbone: MeanBackbone, preparation: Preparation
):
    first = embed_table(table, MeanBackbone(), cache)
    second = embed_table(table, backbone, cache, preparation)
    assert backbone.embedded == sum(second.patch_counts)
    assert {clip.key for clip in first.clips} & {clip.key for clip in second.clips} == set()


def test_a_changed_file_never_gets_old_embeddings(table: ClipTable, cache: EmbeddingCache):
    first = embed_table(table, MeanBackbone(), cache)
    write_tone(table.clips[1].path, 2.0, level=0.25)  # same name, same length
    backbone = MeanBackbone()
    second = embed_table(table, backbone, cache)
    assert backbone.embedded == 4
    assert first.load(1).inputs[0, 0] != second.load(1).inputs[0, 0]


def test_another_cut_of_the_same_file_is_another_clip(table: ClipTable, cache: EmbeddingCache):
    whole = table.clips[1]
    cut = replace(whole, onset=1.0, seconds=0.5)
    embedded = embed_table(make_table(whole, cut), MeanBackbone(), cache)
    assert embedded.patch_counts == (4, 1)


def test_a_moved_file_is_not_embedded_again(table: ClipTable, cache: EmbeddingCache):
    embed_table(table, MeanBackbone(), cache)
    moved = table.clips[1].path.rename(table.clips[1].path.with_name("moved.wav"))
    backbone = MeanBackbone()
    embed_table(make_table(make_clip(moved)), backbone, cache)
    assert backbone.embedded == 0


def test_a_damaged_entry_is_made_anew(table: ClipTable, cache: EmbeddingCache):
    first = embed_table(table, MeanBackbone(), cache)
    key = first.clips[1].key
    (cache.path / key[:2] / f"{key[2:]}.npz").write_bytes(b"torn")
    backbone = MeanBackbone()
    assert embed_table(table, backbone, cache) == first
    assert backbone.embedded == 4


def test_a_lost_entry_is_an_error(table: ClipTable, cache: EmbeddingCache):
    embedded = embed_table(table, MeanBackbone(), cache)
    key = embedded.clips[1].key
    (cache.path / key[:2] / f"{key[2:]}.npz").unlink()
    with pytest.raises(DataError, match=r"lost the embeddings of .*middle.wav"):
        embedded.load(1)


def test_unusable_audio_is_quarantined(
    tmp_path: Path, table: ClipTable, cache: EmbeddingCache, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "text.wav").write_text("not audio")
    write_samples(tmp_path / "nan.wav", np.full(1000, np.nan))
    late = replace(
        make_clip(write_tone(tmp_path / "late.wav", 1.5)), spans=(LabelSpan("dog", 2.0, 3.0),)
    )
    bad = [make_clip(tmp_path / name) for name in ("text.wav", "gone.wav", "nan.wav")]
    embedded = embed_table(replace(table, clips=(*bad, *table.clips, late)), MeanBackbone(), cache)
    assert embedded.table.clips == table.clips
    reasons = {left.path.name: left.reason for left in embedded.quarantined}
    assert reasons.keys() == {"text.wav", "gone.wav", "nan.wav", "late.wav"}
    assert reasons["gone.wav"] == "cannot be read: No such file or directory"
    assert reasons["late.wav"] == "dog: expected an onset within 1.5 s, got 2"
    assert all(name in caplog.text for name in reasons)


def test_a_class_that_loses_all_its_clips_is_refused(
    tmp_path: Path, table: ClipTable, cache: EmbeddingCache
):
    (tmp_path / "cat.wav").write_text("not audio")
    with pytest.raises(
        DataError, match=r"class cat: all clips are quarantined, the first .*cat.wav"
    ):
        embed_table(
            make_table(*table.clips, make_clip(tmp_path / "cat.wav", "cat")), MeanBackbone(), cache
        )


def test_copies_in_two_folds_are_refused(tmp_path: Path, cache: EmbeddingCache):
    first, copy = (write_tone(tmp_path / name) for name in ("a.wav", "b.wav"))
    with pytest.raises(DataError, match=r"b.wav: expected a clip in one fold, found its copy"):
        embed_table(
            make_table(make_clip(first, fold=1), make_clip(copy, fold=2)), MeanBackbone(), cache
        )


class WrongBackbone(MeanBackbone):
    def __init__(self, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
        super().__init__()
        self._change = change

    def embed(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._change(super().embed(patches))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda out: out[:, :1], r"expected embeddings float32 \(64, 2\), got float32 \(64, 1\)"),
        (lambda out: out[:3], r"expected embeddings float32 \(64, 2\), got float32 \(3, 2\)"),
        (lambda out: out.astype(np.float64), r"got float64 \(64, 2\)"),
        (lambda out: out * np.float32(np.nan), "expected finite embeddings"),
    ],
)
def test_a_backbone_of_the_wrong_shape_is_refused(
    table: ClipTable,
    cache: EmbeddingCache,
    change: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    message: str,
):
    with pytest.raises(BackboneError, match=message):
        embed_table(table, WrongBackbone(change), cache)
    assert not cache.path.exists()


def test_progress_counts_every_clip(tmp_path: Path, table: ClipTable, cache: EmbeddingCache):
    (tmp_path / "text.wav").write_text("not audio")
    seen: list[tuple[int, int]] = []
    embed_table(
        replace(table, clips=(*table.clips, make_clip(tmp_path / "text.wav"))),
        MeanBackbone(),
        cache,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_folds_can_be_chosen(table: ClipTable, cache: EmbeddingCache):
    clips = tuple(replace(clip, fold=number) for number, clip in enumerate(table.clips))
    embedded = embed_table(replace(table, clips=clips), MeanBackbone(), cache)
    assert embedded.in_folds(0, 2).patch_counts == (1, 83)
    assert len(embedded.in_folds(0, 2).load(1).inputs) == 83


def test_results_come_in_order():
    assert list(map_in_threads(lambda n: n * n, range(20))) == [n * n for n in range(20)]


def test_only_a_few_items_are_started_ahead():
    requested: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            requested.append(number)
            yield number

    results = map_in_threads(lambda n: n, items())
    next(results)
    assert len(requested) == 5


def test_an_error_in_a_thread_is_raised():
    with pytest.raises(ZeroDivisionError):
        list(map_in_threads(lambda n: 1 // n, [1, 0, 1]))
