"""Audio in, table of scores out, by whatever runs the network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.detection.features import log_mel_patches
from listener.engines.engine import Engine
from trainer.starter.strips import FEATURES

ScoreTable = NDArray[np.float32]  # (T, K): the scores of one stretch of audio

_BATCH = 64


def score(samples: Samples, engine: Engine) -> ScoreTable:
    """The scores of every patch, float32 (T, K)."""
    patches = log_mel_patches(samples, FEATURES)
    starts = range(0, len(patches), _BATCH)
    return np.concatenate([engine.infer(patches[start : start + _BATCH])[0] for start in starts])
