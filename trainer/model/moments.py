"""Mean and deviation of embeddings, in one pass over any number of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_DEVIATION = 1e-3  # of an embedding's number that never changes; YAMNet's deviate by 0.1 to 1


@dataclass(frozen=True, slots=True)
class Moments:
    """Per number of an embedding, float32 (D,) each; no deviation is under LEAST_DEVIATION.

    `count` is of the embeddings.
    """

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    count: int


def measure_moments(batches: Iterable[NDArray[np.float32]]) -> Moments:
    """Of all embeddings in batches of (B, D).

    Raises:
        ValueError: no embeddings.
    """
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for batch in batches:
        exact = batch.astype(np.float64)
        count += len(exact)
        total = total + exact.sum(axis=0)
        squares = squares + np.square(exact).sum(axis=0)
    if count == 0:
        raise ValueError("moments: expected at least one embedding, got none")
    mean = total / count
    variance = np.maximum(squares / count - mean**2, 0.0)
    deviation = np.maximum(np.sqrt(variance), LEAST_DEVIATION)
    return Moments(mean.astype(np.float32), deviation.astype(np.float32), count)
