"""How a network does on whole clips after an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trainer.data.clips import BACKGROUND
from trainer.data.patches import PatchSource
from trainer.data.targets import Targets, clip_targets
from trainer.model.progress import Epoch
from trainer.model.settings import Activation

_PATCHES_AT_ONCE = 512
_LEAST_SCORE = 1e-7  # so that the logarithm of a score of 0 is finite, as in Keras


# The answer for a clip: the mean of its patches' scores.


Infer = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # patches (B, ...) -> scores (B, K)


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


Judge = Callable[[int, float], Epoch]  # number and training loss of an epoch -> all of its figures


def make_judge(
    network: keras.Model, validation: Sequence[PatchSource], activation: Activation
) -> Judge:
    """Judges the network by its weights at the time; without validation by nothing.

    The first of the sources are the clips as they are: the accuracy is theirs. Others are varied copies
    of them: the loss is the mean over all, because the loss of clean clips alone rises again long before
    a head has learnt to hear them in noise.
    """
    if not validation:
        return Epoch
    scorer = make_scorer(network, activation)
    exams = [_Exam(source, activation) for source in validation]

    def judge(number: int, loss: float) -> Epoch:
        scores = [exam.score(scorer) for exam in exams]
        losses = [exam.loss(each) for exam, each in zip(exams, scores, strict=True)]
        first = accuracy(scores[0], exams[0].targets.values)
        return Epoch(number, loss, float(np.mean(losses)), first)

    return judge


class _Exam:
    """Clips and the answers that are right.

    Background is no answer for a clip: the scores of the other classes are compared as they are to each
    other.
    """

    def __init__(self, source: PatchSource, activation: Activation) -> None:
        self._source, self._activation = source, activation
        self._classes = np.array([name != BACKGROUND for name in source.table.classes])
        self.targets = stack_targets(source, activation, self._classes)

    def score(self, infer: Infer) -> NDArray[np.float32]:
        scores = score_clips(infer, self._source)[:, self._classes]
        if self._activation == "softmax":
            scores /= np.maximum(scores.sum(axis=1, keepdims=True), _LEAST_SCORE)
        return scores

    def loss(self, scores: NDArray[np.float32]) -> float:
        return log_loss(scores, self.targets, self._activation)


def stack_targets(
    source: PatchSource, activation: Activation, classes: NDArray[np.bool_]
) -> Targets:
    """The targets of all clips for these classes, (clips, K)."""
    exclusive = activation == "softmax"
    table = source.table
    each = [clip_targets(clip, table.classes, exclusive=exclusive) for clip in table.clips]
    return Targets(
        np.concatenate([targets.values for targets in each])[:, classes],
        np.concatenate([targets.known for targets in each])[:, classes],
    )


def log_loss(scores: NDArray[np.float32], targets: Targets, activation: Activation) -> float:
    """The cross-entropy of clip scores (clips, K), the mean over what is known; 0 if nothing is.

    Softmax: over the clips that have a label. Sigmoid: over the labels that are known.
    """
    exact = np.clip(scores.astype(np.float64), _LEAST_SCORE, 1.0 - _LEAST_SCORE)
    losses = -targets.values * np.log(exact)
    if activation == "softmax":
        return float(losses.sum() / max(targets.values.any(axis=1).sum(), 1))
    losses -= (1.0 - targets.values) * np.log(1.0 - exact)
    return float((losses * targets.known).sum() / max(targets.known.sum(), 1.0))


def accuracy(scores: NDArray[np.float32], targets: NDArray[np.float32]) -> float:
    """The share of labelled clips whose highest score is that of a label of theirs; 0 without any."""
    labelled = targets.any(axis=1)
    if not labelled.any():
        return 0.0
    best = scores[labelled].argmax(axis=1)
    return float(np.mean(targets[labelled][np.arange(len(best)), best] > 0))
