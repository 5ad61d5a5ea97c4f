"""A linear head of independent labels on standardised embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_EPOCHS, _BATCH, _RATE = 12, 256, 1e-3
_WEIGHT_DECAY = 1e-2
_MEAN_DECAY, _SQUARE_DECAY, _TINY = 0.9, 0.999, 1e-8  # Adam's own defaults

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LinearHead:
    """Embeddings (B, D) -> scores (B, K)."""

    mean: Array
    deviation: Array
    weights: Array  # (D + 1, K), the last row is the bias

    def __call__(self, embeddings: Array) -> Array:
        """Scores in [0, 1]."""
        standard = (embeddings - self.mean) / self.deviation
        return _sigmoid(standard @ self.weights[:-1] + self.weights[-1])


def fit_head(embeddings: Array, targets: Array, seed: int) -> LinearHead:
    """Logistic regression with L2 by Adam; `targets` are (N, K), 0 or 1."""
    mean, deviation = embeddings.mean(axis=0), embeddings.std(axis=0) + np.float32(1e-3)
    weights = np.zeros((embeddings.shape[1] + 1, targets.shape[1]), np.float32)
    weights[-1] = _rarity(targets)
    moments, squares = np.zeros_like(weights), np.zeros_like(weights)
    batches = _batches(len(embeddings), seed)
    for number, rows in enumerate(batches, start=1):
        inputs = np.pad((embeddings[rows] - mean) / deviation, ((0, 0), (0, 1)), constant_values=1)
        gradient = inputs.T @ (_sigmoid(inputs @ weights) - targets[rows]) / len(rows)
        gradient[:-1] += _WEIGHT_DECAY * weights[:-1]
        moments += (1 - _MEAN_DECAY) * (gradient - moments)
        squares += (1 - _SQUARE_DECAY) * (gradient**2 - squares)
        unbiased = moments / (1 - _MEAN_DECAY**number)
        scale = np.sqrt(squares / (1 - _SQUARE_DECAY**number)) + _TINY
        rate = _RATE * (1 + np.cos(np.pi * number / len(batches))) / 2
        weights -= (rate * unbiased / scale).astype(np.float32)
    return LinearHead(mean, deviation, weights)


def _rarity(targets: Array) -> Array:
    """The log odds of each label: Adam's small steps would be long on the way from 0 to there."""
    share = np.clip(targets.mean(axis=0), 1e-3, 1 - 1e-3)
    odds: Array = share / (1 - share)
    return np.log(odds)


def _batches(count: int, seed: int) -> list[NDArray[np.intp]]:
    rng = np.random.default_rng(seed)
    per_epoch = max(1, count // _BATCH)
    return [
        rows for _ in range(_EPOCHS) for rows in np.array_split(rng.permutation(count), per_epoch)
    ]


def _sigmoid(logits: Array) -> Array:
    one = np.float32(1)
    return one / (one + np.exp(-logits))
