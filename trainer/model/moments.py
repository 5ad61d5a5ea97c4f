"""Mean and deviation of compressed embeddings, in one pass over any number of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.model.compression import compress

# What hardly changes among the clips learnt from is mostly chance, and is not blown up to the size of
# what does: of five signals each of three noises, this made 99.5 % right 100 %.
LEAST_SHARE = 0.4  # of the root mean square of all deviations; that of YAMNet's on ESC-10 is 0.4
LEAST_DEVIATION = 1e-3  # where nothing changes at all


@dataclass(frozen=True, slots=True)
class Moments:
    """Per number of an embedding, float32 (D,) each; no deviation is under LEAST_SHARE of them all.

    `count` is of the embeddings.
    """

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    count: int


def measure_moments(batches: Iterable[NDArray[np.float32]]) -> Moments:
    """Of all embeddings in batches of (B, D), after `compress`.

    Raises:
        ValueError: no embeddings.
    """
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for batch in batches:
        exact = np.asarray(compress(batch), np.float64)
        count += len(exact)
        total = total + exact.sum(axis=0)
        squares = squares + np.square(exact).sum(axis=0)
    if count == 0:
        raise ValueError("moments: expected at least one embedding, got none")
    mean = total / count
    variance = np.maximum(squares / count - mean**2, 0.0)
    least = max(LEAST_SHARE * float(np.sqrt(variance.mean())), LEAST_DEVIATION)
    deviation = np.maximum(np.sqrt(variance), least)
    return Moments(mean.astype(np.float32), deviation.astype(np.float32), count)
