"""The answer for a clip: the mean of its patches' scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trainer.data.patches import PatchSource
from trainer.model.settings import Activation

Infer = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # patches (B, ...) -> scores (B, K)

_PATCHES_AT_ONCE = 512


def score_clips(infer: Infer, source: PatchSource) -> NDArray[np.float32]:
    """Scores (clips, K) in the table's order; only a few hundred patches are in memory at once."""
    rows = [_mean_scores(infer, clips) for clips in _gather(source)]
    return np.concatenate(rows) if rows else np.empty((0, len(source.table.classes)), np.float32)


def make_scorer(network: keras.Model, activation: Activation) -> Infer:
    """A network of logits as a function that gives scores; it follows the network's weights."""
    squash = tf.nn.sigmoid if activation == "sigmoid" else tf.nn.softmax
    signature = [tf.TensorSpec(network.input_shape, tf.float32)]
    graph = tf.function(lambda x: squash(network(x, training=False)), input_signature=signature)
    return lambda patches: graph(patches).numpy()


def _gather(source: PatchSource) -> Iterator[list[NDArray[np.float32]]]:
    """Clips' patches, put together until there are enough of them."""
    held: list[NDArray[np.float32]] = []
    for index in range(len(source.table.clips)):
        held.append(source.load(index).inputs)
        if sum(map(len, held)) >= _PATCHES_AT_ONCE:
            yield held
            held = []
    if held:
        yield held


def _mean_scores(infer: Infer, clips: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    scores = infer(np.concatenate(clips))
    ends = np.cumsum([len(clip) for clip in clips])
    return np.stack([part.mean(axis=0) for part in np.split(scores, ends[:-1])])
