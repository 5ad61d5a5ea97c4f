"""Batches: every patch once an epoch, repeatable, and only a part of the data set in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.data.doubles import CountingSource, make_clip, make_table
from trainer.data.batches import Batch, Batching, iterate_batches


def make_source(count: int) -> CountingSource:
    clips = [make_clip(Path(f"{n}.wav"), "dog" if n % 2 else "cat") for n in range(count)]
    return CountingSource(make_table(*clips))


def values_of(batches: list[Batch]) -> list[float]:
    """The index of the clip that each patch is of."""
    return [float(value) for batch in batches for value in batch.inputs[:, 0]]


def test_without_a_seed_they_come_in_order():
    batches = list(iterate_batches(make_source(5), Batching(batch_size=8)))
    assert [len(batch.weights) for batch in batches] == [8, 8, 8, 8, 8, 8, 2]
    assert values_of(batches) == np.repeat(np.arange(5.0), 10).tolist()
    assert batches[0].targets.tolist() == [[1, 0]] * 8
    assert batches[0].known.tolist() == [[1, 1]] * 8
    assert all(part.dtype == np.float32 for part in batches[0])


def test_with_a_seed_they_are_mixed_anew_each_epoch():
    batching = Batching(batch_size=8, seed=1, mixed_patches=20)
    epochs = [values_of(list(iterate_batches(make_source(9), batching, n))) for n in (0, 1, 0)]
    assert epochs[0] == epochs[2]
    assert epochs[0] != epochs[1]
    assert sorted(epochs[0]) == sorted(epochs[1]) == np.repeat(np.arange(9.0), 10).tolist()
    assert len(set(epochs[0][:8])) > 1


@pytest.mark.parametrize("count", [100, 1000])
def test_ten_times_the_clips_take_no_more_memory(count: int):
    source = make_source(count)
    batches = iterate_batches(source, Batching(batch_size=16, seed=0, mixed_patches=64))
    next(batches)
    assert source.loaded == 7  # 70 patches: the first number of clips with 64 or more
    for _ in range(3):
        next(batches)
    assert source.loaded == 7


def test_class_weights_go_with_the_patches():
    source = CountingSource(
        make_table(*(make_clip(Path(f"{n}.wav"), "dog" if n else "cat") for n in range(4)))
    )
    (batch,) = iterate_batches(source, Batching(balance="weights"))
    np.testing.assert_allclose(batch.weights, np.repeat([2.0, 2 / 3, 2 / 3, 2 / 3], 10))


def test_resampling_gives_the_classes_equal_shares():
    source = CountingSource(
        make_table(*(make_clip(Path(f"{n}.wav"), "dog" if n else "cat") for n in range(4)))
    )
    batches = list(iterate_batches(source, Batching(balance="resample", seed=0)))
    assert np.concatenate([batch.targets for batch in batches]).sum(axis=0).tolist() == [30, 30]
