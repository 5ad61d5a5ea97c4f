"""From chunks to log-mel patches, live and offline the same; each STFT frame is computed once.

The front end is that of the YAMNet reference (`features.py`): magnitude STFT with a periodic Hann window,
HTK mel bands, log(mel + offset); before it, the `Preprocessing`. All arithmetic is float32.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from listener.detection import log_mel
from listener.detection.audio import AudioChunk, LevelMeter, Samples, to_dbfs
from listener.detection.params import FeatureParams

LogMel = NDArray[np.float32]
Frames = NDArray[np.float32]  # (frames, width): what a patch needs to know of each STFT frame
Content = NDArray[np.float32]  # what the engine takes of a patch


class FrontEnd(Protocol):
    """Computes features in two steps, so that a frame is computed once, however many patches share it."""

    def __call__(self, samples: Samples) -> Frames:
        """float32 (n,) -> float32 (frames, width), as many frames as lie wholly inside."""
        ...

    def patch(self, frames: Frames) -> Content:
        """The frames of one patch -> what the engine takes of it.

        That is the log-mel, float32 (96, 64), or the window, float32 (15600,), for an engine that computes
        the log-mel itself.
        """
        ...


def make_front_end(params: FeatureParams) -> FrontEnd:
    """The front end of the preprocessing; any number of streams on one thread may share it."""
    levelled = params.preprocessing.level_dbfs is not None
    return LevelledFrames(params) if levelled else LogMelFrames(params)


class LogMelFrames:
    """A `FrontEnd` whose frames are log-mel, log(mel + offset): a patch is its frames."""

    def __init__(self, params: FeatureParams) -> None:
        self._params = params
        self._magnitudes = log_mel.MagnitudeSpectrum(params)
        self._mel = log_mel.MelBands(params)
        self._offset = np.float32(params.log_offset)

    def __call__(self, samples: Samples) -> LogMel:
        """float32 (n,) -> float32 (frames, 64)."""
        frames = log_mel.stft_frames(samples, self._params)
        mel = np.empty((len(frames), self._params.mel_bands), np.float32)
        for block in _blocks(len(frames)):
            self._mel.multiply(self._magnitudes(frames[block]), mel[block])
        mel += self._offset
        return np.log(mel, out=mel)

    def patch(self, frames: LogMel) -> LogMel:
        """The frames as they are."""
        return frames


class LevelledFrames:
    """A `FrontEnd` that brings each patch to the same level; a frame is its mel bands and mean square."""

    def __init__(self, params: FeatureParams) -> None:
        self._params = params
        self._magnitudes = log_mel.MagnitudeSpectrum(params)
        self._mel = log_mel.MelBands(params)
        self._weights = log_mel.mean_square_weights(params)
        self._offset = np.float32(params.log_offset)

    def __call__(self, samples: Samples) -> Frames:
        """float32 (n,) -> float32 (frames, 65)."""
        frames = log_mel.stft_frames(samples, self._params)
        known = np.empty((len(frames), self._params.mel_bands + 1), np.float32)
        for block in _blocks(len(frames)):
            magnitudes = self._magnitudes(frames[block])
            self._mel.multiply(magnitudes, known[block, :-1])
            known[block, -1] = np.square(magnitudes, out=magnitudes) @ self._weights
        return known

    def patch(self, frames: Frames) -> LogMel:
        """The log-mel of the amplified frames; the gain comes before the offset."""
        preprocessing = self._params.preprocessing
        level_dbfs = to_dbfs(math.sqrt(float(frames[:, -1].mean())))
        bound_db = preprocessing.max_gain_db
        gain_db = (preprocessing.level_dbfs or 0.0) - level_dbfs
        gain = np.float32(10.0 ** (min(max(gain_db, -bound_db), bound_db) / 20.0))
        mel: LogMel = frames[:, :-1] * gain
        mel += self._offset
        return np.log(mel, out=mel)


class WindowFrames:
    """A `FrontEnd` for engines that compute the log-mel: frames are samples, a patch is the window."""

    def __init__(self, params: FeatureParams) -> None:
        self._params = params

    def __call__(self, samples: Samples) -> Frames:
        """float32 (n,) -> float32 (frames, 400), a view: the frames overlap."""
        return log_mel.stft_frames(samples, self._params)

    def patch(self, frames: Frames) -> Content:
        """The frames -> the window that they cover, float32 (15600,)."""
        hop = self._params.stft_hop_samples
        return np.concatenate((frames[:-1, :hop].ravel(), frames[-1]))


def _blocks(count: int) -> Iterator[slice]:
    size = log_mel.BLOCK_FRAMES
    return (slice(start, start + size) for start in range(0, count, size))


@dataclass(frozen=True, slots=True)
class Patch:
    """What the model classifies at once.

    `start` is the index of its first sample in the stream, `captured_at` that sample's time, `seconds`
    how much audio is in it (less than a window in the last one, which is padded). `content` is what the
    engine takes, see `FrontEnd.patch`. The levels, and the share of samples at full scale, are those of the
    samples that were not in the patch before.
    """

    source: str
    start: int
    captured_at: float
    seconds: float
    content: Content
    level_dbfs: float
    peak_dbfs: float
    clipped_share: float

    @property
    def ended_at(self) -> float:
        """Time after the last sample in it, seconds."""
        return self.captured_at + self.seconds


class PatchStream:
    """Chunks of one source at the model's rate -> patches, whatever the chunk size.

    A jump in `AudioChunk.start` begins anew: no patch spans a hole.
    """

    def __init__(self, params: FeatureParams, front_end: FrontEnd | None = None) -> None:
        self._params = params
        self._front_end = front_end or make_front_end(params)  # may be shared
        self._level = LevelMeter()
        self._last: AudioChunk | None = None
        self._begin(0)

    def _begin(self, start: int) -> None:
        self._patch_start = start
        self._covered = start  # end of the last patch
        self._samples = np.empty(0, np.float32)  # not yet consumed by an STFT frame
        self._frames = self._front_end(self._samples)  # none yet; from _patch_start on

    @property
    def missing_samples(self) -> int:
        """Samples still to come until the next patch is whole."""
        framed = len(self._frames) * self._params.stft_hop_samples
        return self._params.window_samples - framed - len(self._samples)

    def push(self, chunk: AudioChunk) -> list[Patch]:
        """The patches that this chunk completes."""
        if self._last is None or chunk.start != self._last.end:
            self._begin(chunk.start)
        self._last = chunk.tail
        patches = []
        rest = chunk.samples
        while len(rest):  # cut at patch ends, so that each patch reads the level of its own samples
            missing = self.missing_samples
            new, rest = rest[:missing], rest[missing:]
            self._level.push(new)
            self._append(new)
            if len(new) == missing:
                patches.append(self._complete(chunk))
        return patches

    def finish(self) -> list[Patch]:
        """The last patch, padded with silence, if there are samples that no patch has covered."""
        chunk, self._last = self._last, None
        if chunk is None or chunk.end <= self._covered:
            return []
        self._append(np.zeros(self.missing_samples, np.float32))
        return [self._complete(chunk)]

    def _append(self, samples: Samples) -> None:
        samples = np.concatenate((self._samples, samples))
        frames = self._front_end(samples)
        # copies: views would keep their whole arrays alive, and with hundreds of sources fill the caches
        self._samples = samples[len(frames) * self._params.stft_hop_samples :].copy()
        self._frames = np.concatenate((self._frames, frames))

    def _complete(self, chunk: AudioChunk) -> Patch:
        loudness = self._level.read()
        self._covered = self._patch_start + self._params.window_samples
        patch = Patch(
            source=chunk.source,
            start=self._patch_start,
            captured_at=chunk.time_of(self._patch_start),
            seconds=(min(self._covered, chunk.end) - self._patch_start) / chunk.sample_rate_hz,
            content=self._front_end.patch(self._frames[: self._params.patch_frames]),
            level_dbfs=loudness.level_dbfs,
            peak_dbfs=loudness.peak_dbfs,
            clipped_share=loudness.clipped_share,
        )
        self._frames = self._frames[self._params.patch_hop_frames :].copy()
        self._patch_start += self._params.patch_hop_samples
        return patch


def log_mel_patches(waveform: Samples, params: FeatureParams) -> NDArray[np.float32]:
    """All patches of a whole waveform at the model's rate: (n,) -> (patches, 96, 64), float32.

    The last one is padded with silence, as in the YAMNet reference. No samples give no patches.
    """
    shape = (-1, params.patch_frames, params.mel_bands)
    return np.array(contents_of(waveform, params), np.float32).reshape(shape)


def contents_of(
    waveform: Samples, params: FeatureParams, front_end: FrontEnd | None = None
) -> list[Content]:
    """What a front end makes of the patches of a whole waveform; None means log-mel."""
    stream = PatchStream(params, front_end)
    patches = stream.push(AudioChunk("", 0, 0.0, params.sample_rate_hz, waveform)) + stream.finish()
    return [patch.content for patch in patches]


def log_mel_of(content: Content, params: FeatureParams) -> LogMel:
    """The log-mel of a patch's content, float32 (96, 64); computed here if the content is the window."""
    if content.ndim > 1:
        return content
    front_end = make_front_end(params)
    return front_end.patch(front_end(content))
