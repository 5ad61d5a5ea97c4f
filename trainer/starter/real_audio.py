"""Real audio without labels, of which the starter learns what it must not call an alarm or a dog."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.soundscape.synthesis import SAMPLE_RATE_HZ
from trainer.data import audio
from trainer.data.clips import Clip
from trainer.data.files import audio_files
from trainer.errors import DataError

log = logging.getLogger(__name__)

_FULL_SCALE = 32767.0
_MOST_SECONDS_OF_A_FILE = 60.0
_QUIETEST = 1e-4  # the RMS of a cut, -80 dBFS: what is quieter teaches only silence


@dataclass(frozen=True, slots=True)
class RealAudio:
    """Recordings by folder, int16 (n,) at SAMPLE_RATE_HZ: half the memory of float32.

    A folder is a package, a voice or an album; each is drawn as often as any other, however long it is.
    """

    folders: tuple[tuple[NDArray[np.int16], ...], ...]
    cut_samples: int

    @property
    def hours(self) -> float:
        """All of it."""
        count = sum(len(samples) for folder in self.folders for samples in folder)
        return count / SAMPLE_RATE_HZ / 3600.0

    def draw(self, rng: np.random.Generator) -> Samples:
        """A cut, float32 (cut_samples,); the next recordings of the folder follow a short one."""
        folder = self.folders[rng.integers(len(self.folders))]
        cut = np.zeros(self.cut_samples, np.float32)
        filled = 0
        while filled < self.cut_samples:
            samples = folder[rng.integers(len(folder))]
            longest = min(len(samples), self.cut_samples - filled)
            start = rng.integers(len(samples) - longest + 1)
            cut[filled : filled + longest] = samples[start : start + longest] / _FULL_SCALE
            filled += longest + int(rng.integers(SAMPLE_RATE_HZ))  # silence between, up to a second
        return cut


def read_real_audio(
    folders: Sequence[Path], hours_of_each: float, cut_samples: int, seed: int
) -> RealAudio:
    """At most so many hours of each folder's files, drawn by the seed; what cannot be read is left out.

    Raises:
        DataError: a folder without audio that can be read.
    """
    random = np.random.default_rng(seed)
    read = []
    for folder in folders:
        paths = audio_files(folder, deep=True)
        drawn = [paths[n] for n in random.permutation(len(paths))]
        found = list(_read(drawn, hours_of_each))
        if not found:
            raise DataError(f"{folder}: expected audio files, found none that can be read")
        read.append(tuple(found))
    return RealAudio(tuple(read), cut_samples)


def _read(paths: Sequence[Path], hours: float) -> Iterator[NDArray[np.int16]]:
    left = round(hours * 3600.0 * SAMPLE_RATE_HZ)
    for path in paths:
        if left <= 0:
            return
        clip = Clip(path, frozenset(), path.stem, fold=0, seconds=_MOST_SECONDS_OF_A_FILE)
        try:
            samples = audio.read_audio(clip, SAMPLE_RATE_HZ)
        except DataError as error:
            log.info("left out: %s", error)
            continue
        if np.sqrt(np.mean(np.square(samples))) > _QUIETEST:
            left -= len(samples)
            yield np.round(np.clip(samples, -1.0, 1.0) * _FULL_SCALE).astype(np.int16)
