"""Examples: strips cut into patches, with what the teacher makes of each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.features import log_mel_patches
from listener.engines.engine import Engine
from trainer.starter.labels import LABELS
from trainer.starter.recordings import Recording
from trainer.starter.strips import FEATURES, PATCHES, StripMaker

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Examples:
    """`patches` float16 (N, 96, 64), `targets` float32 (N, K), `embeddings` float16 (N, D).

    Half precision halves the memory: 50 000 patches take 0.7 GB.
    """

    patches: NDArray[np.float16]
    targets: NDArray[np.float32]
    embeddings: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.patches)


def make_examples(
    recordings: Sequence[Recording], teacher: Engine, strip_count: int, seed: int
) -> Examples:
    """So many strips of PATCHES patches each, always the same for a seed."""
    rng = np.random.default_rng(seed)
    maker = StripMaker(recordings)
    examples = _room_for(strip_count * PATCHES, teacher)
    for number in range(strip_count):
        rows = slice(number * PATCHES, (number + 1) * PATCHES)
        strip = maker.draw(rng)
        patches = log_mel_patches(strip.samples, FEATURES)
        examples.patches[rows], examples.targets[rows] = patches, strip.targets
        examples.embeddings[rows] = teacher.infer(patches)[1]
        if number % 1000 == 0:
            log.info("made %d of %d strips", number, strip_count)
    return examples


def _room_for(count: int, teacher: Engine) -> Examples:
    blank = np.zeros((1, FEATURES.patch_frames, FEATURES.mel_bands), np.float32)
    size = teacher.infer(blank)[1].shape[1]
    return Examples(
        np.zeros((count, *blank.shape[1:]), np.float16),
        np.zeros((count, len(LABELS)), np.float32),
        np.zeros((count, size), np.float16),
    )
