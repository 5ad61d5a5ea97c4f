"""Training: the targets of the labels, and the teacher's embeddings (Hinton et al., arXiv:1503.02531)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from trainer.starter.examples import Examples

log = logging.getLogger(__name__)

_EMBEDDING_WEIGHT = 0.2  # of the teacher's embeddings beside the labels
_STEEPEST = 5.0  # deviations: what a rare embedding number is clipped at
_MASKED_FRAMES, _MASKED_BANDS = 12, 6  # SpecAugment (arXiv:1904.08779): the widest gap


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast: AdamW, its rate falling along a cosine to zero."""

    epochs: int = 8
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3


def train(
    network: keras.Model, examples: Examples, schedule: Schedule, seed: int = 0
) -> list[float]:
    """Teach the network in place; the mean loss of each epoch."""
    student = _with_projection(network, examples.embeddings.shape[1])
    steps = schedule.epochs * (len(examples) // schedule.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(schedule.learning_rate, steps)
    student.compile(
        keras.optimizers.AdamW(rate, schedule.weight_decay),
        loss={"scores": "binary_crossentropy", "teacher": "mean_squared_error"},
        loss_weights={"scores": 1.0, "teacher": _EMBEDDING_WEIGHT},
    )
    rng = np.random.default_rng(seed)
    spread = embedding_spread(examples.embeddings)
    return [
        _epoch(student, _batches(examples, spread, schedule.batch_size, rng), number)
        for number in range(schedule.epochs)
    ]


def embedding_spread(embeddings: NDArray[np.float16]) -> NDArray[np.float32]:
    """Mean and deviation of each of the teacher's numbers, float32 (2, D); a dead one deviates by 1."""
    sample = embeddings[:: max(1, len(embeddings) // 10_000)].astype(np.float32)
    deviation = sample.std(axis=0)
    return np.stack((sample.mean(axis=0), np.where(deviation > 0, deviation, 1.0)))


def _with_projection(network: keras.Model, teacher_size: int) -> keras.Model:
    """The network and a layer that guesses the teacher's embedding; it is thrown away after training."""
    outputs = network.output
    guess = keras.layers.Dense(teacher_size, name="teacher")(outputs["embeddings"])
    return keras.Model(network.input, {"scores": outputs["scores"], "teacher": guess})


_Batch = tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]


def _batches(
    examples: Examples, spread: NDArray[np.float32], size: int, rng: np.random.Generator
) -> Iterator[_Batch]:
    order = rng.permutation(len(examples))
    for start in range(0, len(order) - size + 1, size):
        rows = np.sort(order[start : start + size])  # near in memory
        embeddings = (examples.embeddings[rows] - spread[0]) / spread[1]
        targets = {
            "scores": examples.targets[rows],
            "teacher": np.minimum(embeddings, _STEEPEST),
        }
        yield mask(examples.patches[rows].astype(np.float32), rng), targets


def mask(patches: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A stretch of frames and one of bands of each patch set to the patch's mean, in place."""
    for patch in patches:
        mean = patch.mean()
        patch[_stretch(len(patch), _MASKED_FRAMES, rng)] = mean
        patch[:, _stretch(patch.shape[1], _MASKED_BANDS, rng)] = mean
    return patches


def _stretch(length: int, widest: int, rng: np.random.Generator) -> slice:
    width = rng.integers(widest + 1)
    start = rng.integers(length - width + 1)
    return slice(start, start + width)


def _epoch(student: keras.Model, batches: Iterator[_Batch], number: int) -> float:
    losses = [student.train_on_batch(patches, targets)[0] for patches, targets in batches]
    mean = float(np.mean(losses))
    log.info("epoch %d: loss %.4f", number + 1, mean)
    return mean
