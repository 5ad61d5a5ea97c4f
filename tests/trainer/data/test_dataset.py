"""The tf.data form of the batches."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from tests.trainer.data.doubles import CountingSource, make_clip, make_table
from trainer.data.batches import Batching, iterate_batches
from trainer.data.clips import ClipTable
from trainer.data.dataset import make_dataset
from trainer.errors import DataError


def make_source(count: int) -> CountingSource:
    return CountingSource(make_table(*(make_clip(Path(f"{n}.wav")) for n in range(count))))


def test_each_iteration_is_the_next_epoch():
    source, batching = make_source(5), Batching(batch_size=16, seed=0)
    dataset = make_dataset(source, batching)
    for epoch in (0, 1):
        expected = list(iterate_batches(source, batching, epoch))
        for tensors, arrays in zip(dataset, expected, strict=True):
            for tensor, array in zip(tensors, arrays, strict=True):
                assert tensor.numpy().tolist() == array.tolist()


def test_it_is_lazy():
    source = make_source(1000)
    iterator = iter(make_dataset(source, Batching(batch_size=16, seed=0, mixed_patches=64)))
    next(iterator)
    assert source.loaded < 100


def test_no_clips_are_refused():
    with pytest.raises(DataError, match="expected at least one clip to learn from"):
        make_dataset(CountingSource(ClipTable((), ("dog",))), Batching())


def test_a_source_goes_with_its_data_set():
    """TensorFlow keeps the generators of all data sets; what they read from may be all embeddings."""
    source = make_source(5)
    seen = weakref.ref(source)
    dataset = make_dataset(source, Batching()).repeat(2)
    assert sum(1 for _ in dataset) == 2
    del source, dataset
    gc.collect()
    assert seen() is None
