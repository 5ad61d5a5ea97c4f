"""Validation: the scores, loss and accuracy of a network on whole clips."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trainer.data.clips import BACKGROUND
from trainer.data.patches import PatchSource
from trainer.data.targets import Targets, clip_targets
from trainer.model.progress import Epoch
from trainer.model.settings import Activation

Infer = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # patches (B, ...) -> scores (B, K)
Validate = Callable[[int, float], Epoch]  # number and training loss of an epoch -> all its figures

HEARD = 0.5  # a score that says a label is there
_BATCH_PATCHES = 512
_MIN_SCORE = 1e-7  # so that the logarithm of a score of 0 is finite, as in Keras


def make_validator(
    network: keras.Model, validation: Sequence[PatchSource], activation: Activation
) -> Validate:
    """Measures the network with its weights at the time of the call; without sources nothing.

    The first source has the clips as they are: the accuracy is theirs. The others have varied copies of
    them: the loss is the mean over all, because the loss of clean clips alone rises again long before a
    head has learned to recognise them in noise.
    """
    if not validation:
        return Epoch
    scorer = make_scorer(network, activation)
    sets = [_ValidationSet(source, activation) for source in validation]

    def validate(number: int, loss: float) -> Epoch:
        scores = [each.score(scorer) for each in sets]
        losses = [
            log_loss(own, each.targets, activation) for each, own in zip(sets, scores, strict=True)
        ]
        return Epoch(number, loss, float(np.mean(losses)), sets[0].accuracy(scores[0]))

    return validate


class _ValidationSet:
    """Clips and their targets, background among them.

    Which label a clip has is asked of the labels alone; a clip without any is right if none is heard.
    """

    def __init__(self, source: PatchSource, activation: Activation) -> None:
        self._source = source
        table = source.table
        self._labels = np.array([name != BACKGROUND for name in table.classes])
        exclusive = activation == "softmax"
        targets = [clip_targets(clip, table.classes, exclusive=exclusive) for clip in table.clips]
        self.targets = Targets(
            np.concatenate([each.values for each in targets]),
            np.concatenate([each.known for each in targets]),
        )

    def score(self, infer: Infer) -> NDArray[np.float32]:
        return score_clips(infer, self._source)

    def accuracy(self, scores: NDArray[np.float32]) -> float:
        scores, targets = scores[:, self._labels], self.targets.values[:, self._labels]
        known = self.targets.known[:, self._labels].all(axis=1)
        labelled = targets.any(axis=1)
        heard = scores.max(axis=1) >= HEARD
        right = targets[np.arange(len(scores)), scores.argmax(axis=1)] > 0
        if scores.shape[1] == 1:  # the highest of one is always its own
            right &= heard
        judged = labelled | known
        return float(np.where(labelled, right, ~heard)[judged].mean()) if judged.any() else 0.0


def make_scorer(network: keras.Model, activation: Activation) -> Infer:
    """A function that gives a network's scores from its logits; it follows the network's weights."""
    squash = tf.nn.sigmoid if activation == "sigmoid" else tf.nn.softmax
    signature = [tf.TensorSpec(network.input_shape, tf.float32)]
    graph = tf.function(lambda x: squash(network(x, training=False)), input_signature=signature)
    return lambda patches: graph(patches).numpy()


def score_clips(infer: Infer, source: PatchSource) -> NDArray[np.float32]:
    """The mean scores of each clip's patches, (clips, K); a few hundred patches are in memory at once."""
    rows: list[NDArray[np.float32]] = []
    held: list[NDArray[np.float32]] = []
    last = len(source.table.clips) - 1
    for index in range(last + 1):
        held.append(source.load(index).inputs)
        if index == last or sum(map(len, held)) >= _BATCH_PATCHES:
            ends = np.cumsum([len(patches) for patches in held])
            scores = np.split(infer(np.concatenate(held)), ends[:-1])
            rows += [patch_scores.mean(axis=0) for patch_scores in scores]
            held = []
    return np.stack(rows) if rows else np.empty((0, len(source.table.classes)), np.float32)


def log_loss(scores: NDArray[np.float32], targets: Targets, activation: Activation) -> float:
    """The mean cross-entropy of clip scores (clips, K) over what is known; 0 if nothing is.

    Softmax: over the clips that have a label. Sigmoid: over the labels that are known.
    """
    exact = np.clip(scores.astype(np.float64), _MIN_SCORE, 1.0 - _MIN_SCORE)
    losses = -targets.values * np.log(exact)
    if activation == "softmax":
        return float(losses.sum() / max(targets.values.any(axis=1).sum(), 1))
    losses -= (1.0 - targets.values) * np.log(1.0 - exact)
    return float((losses * targets.known).sum() / max(targets.known.sum(), 1.0))


def accuracy(scores: NDArray[np.float32], targets: NDArray[np.float32]) -> float:
    """The share of labelled clips whose highest score belongs to one of their labels; 0 without any."""
    labelled = targets.any(axis=1)
    if not labelled.any():
        return 0.0
    best = scores[labelled].argmax(axis=1)
    return float(np.mean(targets[labelled][np.arange(len(best)), best] > 0))
