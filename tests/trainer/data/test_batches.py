"""Batches: every patch once an epoch, repeatable, and only a part of the data set in memory."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.data.doubles import CountingSource, make_clip, make_table
from trainer.data.batches import (
    Batch,
    Batching,
    class_counts,
    class_weights,
    iterate_batches,
    make_dataset,
    patch_weights,
    resampled_order,
)
from trainer.data.clips import Clip, ClipTable
from trainer.data.targets import Targets
from trainer.errors import DataError


def make_source(count: int) -> CountingSource:
    clips = [make_clip(Path(f"{n}.wav"), "dog" if n % 2 else "cat") for n in range(count)]
    return CountingSource(make_table(*clips))


def values_of(batches: list[Batch]) -> list[float]:
    """The index of the clip of each patch."""
    return [float(value) for batch in batches for value in batch.inputs[:, 0]]


def test_without_a_seed_patches_keep_their_order():
    batches = list(iterate_batches(make_source(5), Batching(batch_size=8)))
    assert [len(batch.weights) for batch in batches] == [8, 8, 8, 8, 8, 8, 2]
    assert values_of(batches) == np.repeat(np.arange(5.0), 10).tolist()
    assert batches[0].targets.tolist() == [[1, 0]] * 8
    assert batches[0].known.tolist() == [[1, 1]] * 8
    assert all(values.dtype == np.float32 for values in batches[0])


def test_with_a_seed_patches_are_shuffled_anew_each_epoch():
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


UNBALANCED = [make_clip(Path(f"{n}.wav"), "dog" if n else "cat") for n in range(4)]


def test_class_weights_go_with_the_patches():
    source = CountingSource(make_table(*UNBALANCED))
    (batch,) = iterate_batches(source, Batching(balance="weights"))
    np.testing.assert_allclose(batch.weights, np.repeat([2.0, 2 / 3, 2 / 3, 2 / 3], 10))


def test_resampling_gives_the_classes_equal_shares():
    source = CountingSource(make_table(*UNBALANCED))
    batches = list(iterate_batches(source, Batching(balance="resample", seed=0)))
    assert np.concatenate([batch.targets for batch in batches]).sum(axis=0).tolist() == [30, 30]


TABLE = make_table(
    *(make_clip(Path(f"dog{number}.wav"), "dog") for number in range(6)),
    *(make_clip(Path(f"cat{number}.wav"), "cat") for number in range(2)),
    Clip(Path("silence.wav"), frozenset(), "silence", 1),
    classes=("cat", "dog", "owl"),
)


def test_counts_and_weights():
    assert class_counts(TABLE).tolist() == [2, 6, 0]
    # 8 labels in 2 classes that have clips: 8 / (2 * 2), 8 / (2 * 6)
    np.testing.assert_allclose(class_weights(TABLE), [2.0, 2 / 3, 0.0])


def test_a_patch_weighs_the_mean_of_its_labels():
    values = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32)
    targets = Targets(values, np.ones_like(values))
    weights = patch_weights(targets, np.array([2.0, 4.0], np.float32))
    assert weights.tolist() == [2.0, 4.0, 3.0, 1.0]


def test_resampling_repeats_small_classes():
    order = resampled_order(TABLE, np.random.default_rng(0))
    times = np.bincount(order, minlength=9)
    assert times.tolist() == [1, 1, 1, 1, 1, 1, 3, 3, 1]
    again = resampled_order(TABLE, np.random.default_rng(0))
    assert again.tolist() == order.tolist()
    assert resampled_order(TABLE, np.random.default_rng(1)).tolist() != order.tolist()


def test_each_iteration_is_the_next_epoch():
    source, batching = make_source(5), Batching(batch_size=16, seed=0)
    dataset = make_dataset(source, batching)
    for epoch in (0, 1):
        expected = list(iterate_batches(source, batching, epoch))
        for tensors, arrays in zip(dataset, expected, strict=True):
            for tensor, array in zip(tensors, arrays, strict=True):
                assert tensor.numpy().tolist() == array.tolist()


def test_a_dataset_is_lazy():
    source = make_source(1000)
    iterator = iter(make_dataset(source, Batching(batch_size=16, seed=0, mixed_patches=64)))
    next(iterator)
    assert source.loaded < 100


def test_no_clips_are_refused():
    with pytest.raises(DataError, match="expected at least one clip to learn from"):
        make_dataset(CountingSource(ClipTable((), ("dog",))), Batching())


def test_a_source_is_released_with_its_dataset():
    """TensorFlow keeps the generators of all datasets; their sources may hold all embeddings."""
    source = make_source(5)
    seen = weakref.ref(source)
    dataset = make_dataset(source, Batching()).repeat(2)
    assert sum(1 for _ in dataset) == 2
    del source, dataset
    gc.collect()
    assert seen() is None
