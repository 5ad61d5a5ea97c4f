"""Small audio files, tables of clips, and stand-ins whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from listener.detection.params import FeatureParams
from trainer.data.clips import Clip, ClipTable
from trainer.data.patches import ClipPatches

RATE_HZ = 16_000
PARAMS = FeatureParams()


def write_tone(
    path: Path, seconds: float = 1.0, rate_hz: int = RATE_HZ, level: float = 0.5
) -> Path:
    """A file with a sine of 440 Hz; its folders are made."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    return write_samples(path, level * np.sin(2 * np.pi * 440.0 * time), rate_hz)


def write_samples(path: Path, samples: NDArray[np.float64], rate_hz: int = RATE_HZ) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    subtype = "FLOAT" if path.suffix == ".wav" else None
    soundfile.write(path, samples, rate_hz, subtype=subtype)
    return path


def make_clip(path: Path, label: str = "dog", fold: int = 1, group: str | None = None) -> Clip:
    return Clip(path, frozenset({label}), group or path.stem, fold, exhaustive=True)


def make_table(*clips: Clip, classes: Sequence[str] | None = None) -> ClipTable:
    names = sorted({label for clip in clips for label in clip.labels})
    return ClipTable(clips, tuple(classes or names))


class MeanBackbone:
    """Embeds a patch as the mean of its log-mel and 1.0; counts the patches that it was given."""

    def __init__(self, identity: str = "mean", features: FeatureParams = PARAMS) -> None:
        self.features = features
        self.embedding_size = 2
        self.id = identity
        self.embedded = 0

    def embed(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        self.embedded += len(patches)
        means = patches.mean(axis=(1, 2))
        return np.stack([means, np.ones_like(means)], axis=1)


class CountingSource:
    """Ten patches a clip, all of them the clip's index; counts how many clips were loaded."""

    def __init__(self, table: ClipTable) -> None:
        self.table = table
        self.features = PARAMS
        self.loaded = 0

    def load(self, index: int) -> ClipPatches:
        self.loaded += 1
        return ClipPatches(np.full((10, 2), index, np.float32), seconds=5.0)
