"""Batches as a `tf.data.Dataset`: they are made while the network learns from those before."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator

import tensorflow as tf

from trainer.data.batches import Batch, Batching, iterate_batches
from trainer.data.patches import PatchSource
from trainer.errors import DataError

_AHEAD = 4  # batches ready before they are asked for


def make_dataset(source: PatchSource, batching: Batching) -> tf.data.Dataset:
    """A `Batch` of tensors at a time; each iteration over the data set is the next epoch.

    Raises:
        DataError: the source has no clips.
    """
    if not source.table.clips:
        raise DataError("expected at least one clip to learn from, found none")
    epochs = itertools.count()
    sources = [source]

    def batches() -> Iterator[Batch]:
        return iterate_batches(sources[0], batching, next(epochs))

    dataset = tf.data.Dataset.from_generator(batches, output_signature=_signature(source))
    # TensorFlow keeps the generator function for good: the source, and all that it holds, goes with the
    # data set
    weakref.finalize(dataset, sources.clear)
    return dataset.prefetch(_AHEAD)


def _signature(source: PatchSource) -> Batch:
    inputs = source.load(0).inputs.shape[1:]
    classes = len(source.table.classes)
    return Batch(
        tf.TensorSpec((None, *inputs), tf.float32),
        tf.TensorSpec((None, classes), tf.float32),
        tf.TensorSpec((None, classes), tf.float32),
        tf.TensorSpec((None,), tf.float32),
    )
