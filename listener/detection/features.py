"""Streaming log-mel: each STFT frame is computed once, patches come out, equal to offline.

The front end is that of the YAMNet reference (`features.py` there): magnitude STFT with a periodic
Hann window, HTK mel bands, log(mel + offset). All arithmetic is float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import AudioChunk, LevelMeter, Samples
from listener.detection.params import FeatureParams

LogMel = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Patch:
    """What the model classifies at once.

    `start` is the index of its first sample in the stream, `captured_at` that sample's time, `seconds`
    how much audio is in it (less than a window in the last one, which is padded), `log_mel` float32
    (96, 64). The levels are those of the samples that are new since the patch before.
    """

    source: str
    start: int
    captured_at: float
    seconds: float
    log_mel: LogMel
    level_dbfs: float
    peak_dbfs: float

    @property
    def ended_at(self) -> float:
        """Time after the last sample in it, seconds."""
        return self.captured_at + self.seconds


class LogMelFrames:
    """Waveform in, STFT frames as log-mel out; stateless but for its tables."""

    def __init__(self, params: FeatureParams) -> None:
        self._params = params
        samples = np.arange(params.stft_window_samples)
        self._window = (0.5 - 0.5 * np.cos(2 * np.pi * samples / len(samples))).astype(np.float32)
        self._mel = mel_matrix(params)
        self._offset = np.float32(params.log_offset)

    def __call__(self, samples: Samples) -> LogMel:
        """float32 (n,) -> float32 (frames, 64), as many frames as lie wholly inside."""
        params = self._params
        if len(samples) < params.stft_window_samples:
            return np.empty((0, params.mel_bands), np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(samples, params.stft_window_samples)
        windowed = frames[:: params.stft_hop_samples] * self._window
        spectrum = np.fft.rfft(windowed, params.fft_length)  # float32 in, complex64 out
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        mel = np.sqrt(power, out=power) @ self._mel
        mel += self._offset
        return np.log(mel, out=mel)


@lru_cache(maxsize=8)
def mel_matrix(params: FeatureParams) -> NDArray[np.float32]:
    """Triangular HTK mel bands, float32 (fft_length / 2 + 1, mel_bands), as `tf.signal` makes them.

    The triangles are linear in mel, unnormalised, and the DC bin is left out
    (`tf.signal.linear_to_mel_weight_matrix`).
    """
    bins = np.linspace(0.0, params.sample_rate_hz / 2, params.fft_length // 2 + 1)
    bin_mel = _hz_to_mel(bins[1:, None])
    edges = np.linspace(
        _hz_to_mel(np.array(params.mel_min_hz)),
        _hz_to_mel(np.array(params.mel_max_hz)),
        params.mel_bands + 2,
    )
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bin_mel - lower) / (centre - lower)
    falling = (upper - bin_mel) / (upper - centre)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    matrix = np.pad(weights, [(1, 0), (0, 0)]).astype(np.float32)
    matrix.flags.writeable = False  # it is shared
    return matrix


def _hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1127.0 * np.log1p(hz / 700.0)


class PatchStream:
    """Chunks of one source at the model's rate -> patches, whatever the chunk size.

    A jump in `AudioChunk.start` begins a new stretch: no patch spans a hole.
    """

    def __init__(self, params: FeatureParams, log_mel: LogMelFrames | None = None) -> None:
        self._params = params
        self._log_mel = log_mel or LogMelFrames(params)  # may be shared
        self._level = LevelMeter()
        self._last: AudioChunk | None = None
        self._begin_stretch(0)

    def _begin_stretch(self, start: int) -> None:
        self._patch_start = start
        self._covered = start  # end of the last patch
        self._samples = np.empty(0, np.float32)  # not yet consumed by an STFT frame
        self._frames = np.empty((0, self._params.mel_bands), np.float32)  # from _patch_start on

    @property
    def missing_samples(self) -> int:
        """Samples still to come until the next patch is whole."""
        return self._patch_start + self._params.window_samples - self._end

    @property
    def _end(self) -> int:
        framed = len(self._frames) * self._params.stft_hop_samples
        return self._patch_start + framed + len(self._samples)

    def push(self, chunk: AudioChunk) -> list[Patch]:
        """The patches that this chunk completes."""
        if self._last is None or chunk.start != self._last.end:
            self._begin_stretch(chunk.start)
        self._last = chunk
        patches = []
        rest = chunk.samples
        while len(rest):  # cut at patch ends, so that each patch reads the level of its own samples
            taken, rest = rest[: self.missing_samples], rest[self.missing_samples :]
            self._level.push(taken)
            self._append(taken)
            if self.missing_samples == 0:
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
        frames = self._log_mel(samples)
        self._samples = samples[len(frames) * self._params.stft_hop_samples :]
        self._frames = np.concatenate((self._frames, frames))

    def _complete(self, chunk: AudioChunk) -> Patch:
        rms, peak = self._level.read()
        self._covered = self._patch_start + self._params.window_samples
        patch = Patch(
            source=chunk.source,
            start=self._patch_start,
            captured_at=chunk.time_of(self._patch_start),
            seconds=(min(self._covered, chunk.end) - self._patch_start) / chunk.sample_rate_hz,
            log_mel=self._frames[: self._params.patch_frames],
            level_dbfs=rms,
            peak_dbfs=peak,
        )
        self._frames = self._frames[self._params.patch_hop_frames :]
        self._patch_start += self._params.patch_hop_samples
        return patch


def log_mel_patches(waveform: Samples, params: FeatureParams) -> NDArray[np.float32]:
    """All patches of a whole waveform at the model's rate: (n,) -> (patches, 96, 64), float32.

    The last one is padded with silence, as in the YAMNet reference; no samples give no patches.
    """
    stream = PatchStream(params)
    patches = stream.push(AudioChunk("", 0, 0.0, params.sample_rate_hz, waveform)) + stream.finish()
    shape = (len(patches), params.patch_frames, params.mel_bands)
    return np.array([patch.log_mel for patch in patches], np.float32).reshape(shape)
