"""From a waveform to the log-mel of its STFT frames, and from them to a patch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples, to_dbfs
from listener.detection.params import FeatureParams
from listener.detection.spectrum import (
    BLOCK_FRAMES,
    MagnitudeSpectrum,
    MelBands,
    mean_square_weights,
    stft_frames,
)

LogMel = NDArray[np.float32]
Frames = NDArray[np.float32]  # (frames, width): what a patch needs to know of each STFT frame
Content = NDArray[np.float32]  # what the engine takes of a patch


class FrontEnd(Protocol):
    """Two steps, so that a frame is computed once, however many patches share it."""

    def __call__(self, samples: Samples) -> Frames:
        """float32 (n,) -> float32 (frames, width), as many frames as lie wholly inside."""
        ...

    def patch(self, frames: Frames) -> Content:
        """The frames of one patch -> what the engine takes of it, its log-mel, float32 (96, 64).

        For an engine that makes the log-mel itself it is the window, float32 (15600,).
        """
        ...


def make_front_end(params: FeatureParams) -> FrontEnd:
    """The one that the preprocessing asks for; any number of streams of one thread may share it."""
    levelled = params.preprocessing.level_dbfs is not None
    return LevelledFrames(params) if levelled else LogMelFrames(params)


class LogMelFrames:
    """A `FrontEnd` whose frames are log-mel: log(mel + offset), nothing left to do for a patch."""

    def __init__(self, params: FeatureParams) -> None:
        self._params = params
        self._magnitudes = MagnitudeSpectrum(params)
        self._mel = MelBands(params)
        self._offset = np.float32(params.log_offset)

    def __call__(self, samples: Samples) -> LogMel:
        """float32 (n,) -> float32 (frames, 64)."""
        frames = stft_frames(samples, self._params)
        mel = np.empty((len(frames), self._params.mel_bands), np.float32)
        for block in _blocks(len(frames)):
            self._mel.multiply(self._magnitudes(frames[block]), mel[block])
        mel += self._offset
        return np.log(mel, out=mel)

    def patch(self, frames: LogMel) -> LogMel:
        """The frames as they are."""
        return frames


class LevelledFrames:
    """A `FrontEnd` that brings each patch to the same level; its frames are mel, and their mean square."""

    def __init__(self, params: FeatureParams) -> None:
        self._params = params
        self._magnitudes = MagnitudeSpectrum(params)
        self._mel = MelBands(params)
        self._weights = mean_square_weights(params)
        self._offset = np.float32(params.log_offset)

    def __call__(self, samples: Samples) -> Frames:
        """float32 (n,) -> float32 (frames, 65)."""
        frames = stft_frames(samples, self._params)
        known = np.empty((len(frames), self._params.mel_bands + 1), np.float32)
        for block in _blocks(len(frames)):
            magnitudes = self._magnitudes(frames[block])
            self._mel.multiply(magnitudes, known[block, :-1])
            known[block, -1] = np.square(magnitudes, out=magnitudes) @ self._weights
        return known

    def patch(self, frames: Frames) -> LogMel:
        """The log-mel of the amplified frames; the gain comes before the offset."""
        mel: LogMel = frames[:, :-1] * self._gain(float(frames[:, -1].mean()))
        mel += self._offset
        return np.log(mel, out=mel)

    def _gain(self, mean_square: float) -> np.float32:
        preprocessing = self._params.preprocessing
        wanted_db = (preprocessing.level_dbfs or 0.0) - to_dbfs(math.sqrt(mean_square))
        bound_db = preprocessing.max_gain_db
        return np.float32(10.0 ** (min(max(wanted_db, -bound_db), bound_db) / 20.0))


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK_FRAMES) for start in range(0, count, BLOCK_FRAMES))
