"""PCM before the features: chunks, mono mix, levels, resampling, and the condition of a source."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

SILENCE_DBFS = -120.0  # the floor of every level: digital silence has this level, never 0
FULL_SCALE = 0.99  # a sample from here on is clipped: resampling smooths what was cut off at 1.0
MAX_CHANNELS = 64
MAX_AMPLITUDE = 1e6  # 120 dB over full scale means a broken file; the power of 1e20 is infinite
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1_000, 768_000  # of a source; no audio is outside

Samples = NDArray[np.float32]
Condition = Literal["online", "silent", "clipping"]
"""The state of a source whose patches are analysed."""
Status = Literal["offline", "online", "silent", "clipping"]
"""The state of any source."""

_NO_SAMPLES = np.empty(0, np.float32)


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """PCM as a source hands it over.

    `start` counts samples since the stream began, lost ones included, so that a hole shows as a jump.
    `captured_at` is the time of samples[0]: unix seconds live, seconds in the file offline.
    `samples` is float32 (n,), mono, [-1, 1], at `sample_rate_hz`.
    """

    source: str
    start: int
    captured_at: float
    sample_rate_hz: int
    samples: Samples

    @property
    def end(self) -> int:
        """Index after the last sample."""
        return self.start + len(self.samples)

    @property
    def ended_at(self) -> float:
        """Time after the last sample, seconds."""
        return self.time_of(self.end)

    def time_of(self, index: int) -> float:
        """Time of sample `index` of the stream, seconds."""
        return self.captured_at + (index - self.start) / self.sample_rate_hz

    @property
    def tail(self) -> AudioChunk:
        """The empty chunk after this one.

        Keep this to remember where a chunk ended: with hundreds of sources, samples that nobody needs any
        more would fill the caches.
        """
        return AudioChunk(self.source, self.end, self.ended_at, self.sample_rate_hz, _NO_SAMPLES)

    def split(self, count: int) -> tuple[AudioChunk, AudioChunk]:
        """The first `count` samples, and the others."""
        at, rate_hz = self.start + count, self.sample_rate_hz
        others = AudioChunk(self.source, at, self.time_of(at), rate_hz, self.samples[count:])
        return replace(self, samples=self.samples[:count]), others


def mix_to_mono(pcm: NDArray[np.float32]) -> Samples:
    """The mean over channels: (n, channels) or (n,) -> (n,)."""
    if pcm.ndim == 1:
        return pcm
    if pcm.shape[1] == 1:
        return np.ascontiguousarray(pcm[:, 0])
    # 70 times as fast as mean(axis=1) for the usual few channels
    mono: Samples = pcm @ np.full(pcm.shape[1], 1 / pcm.shape[1], np.float32)
    return mono


def pcm16_to_float(pcm: NDArray[np.int16]) -> Samples:
    """16-bit PCM -> float32 in [-1, 1)."""
    return pcm.astype(np.float32) / np.float32(32768.0)


def zero_nonfinite(samples: Samples) -> tuple[Samples, int]:
    """The samples with NaN, infinity and all over MAX_AMPLITUDE set to zero, and how many were.

    One NaN would make every later score NaN, and the detector would miss everything.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # infinity is over the limit, too
        # at least as large as each square, and NaN if one is: one pass, no temporary
        sum_of_squares = np.dot(samples, samples)
    if sum_of_squares <= MAX_AMPLITUDE**2:
        return samples, 0
    bad = ~(np.abs(samples) <= MAX_AMPLITUDE)
    return np.where(bad, np.float32(0.0), samples), int(bad.sum())


def to_dbfs(amplitude: float) -> float:
    """Amplitude (1.0 is full scale) in dBFS, at least SILENCE_DBFS."""
    if amplitude <= 10 ** (SILENCE_DBFS / 20):
        return SILENCE_DBFS
    return 20.0 * math.log10(amplitude)


class Loudness(NamedTuple):
    """RMS and peak level in dBFS, and the share of samples at full scale, [0, 1]."""

    level_dbfs: float
    peak_dbfs: float
    clipped_share: float


class LevelMeter:
    """How loud the samples since the last reading are."""

    def __init__(self) -> None:
        self._energy = 0.0
        self._peak = 0.0
        self._clipped = 0
        self._count = 0

    def push(self, samples: Samples) -> None:
        """Add samples, float32 (n,)."""
        if not len(samples):
            return
        self._energy += float(np.dot(samples, samples))
        peak = max(float(samples.max()), -float(samples.min()))
        if peak >= FULL_SCALE:
            self._clipped += int(np.count_nonzero(np.abs(samples) >= FULL_SCALE))
        self._peak = max(self._peak, peak)
        self._count += len(samples)

    def read(self) -> Loudness:
        """The loudness since the last reading; silence if there was no sample."""
        count = max(1, self._count)
        rms = math.sqrt(self._energy / count)
        loudness = Loudness(to_dbfs(rms), to_dbfs(self._peak), self._clipped / count)
        self._energy, self._peak, self._clipped, self._count = 0.0, 0.0, 0, 0
        return loudness


class ChunkResampler:
    """Chunks at a source's native rate -> chunks at the model's rate, on the same time line.

    soxr delays its output but does not shift it: output sample k is the sound at k / rate, so the time of
    a chunk follows from counts. A jump in `start` or another rate restarts the resampler.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._stream: soxr.ResampleStream | None = None
        self._input_rate_hz = 0
        self._next_input = 0
        self._next_output = 0

    def push(self, chunk: AudioChunk) -> AudioChunk:
        """The part of the resampled stream that this chunk completes; it may have no samples."""
        rate_hz = chunk.sample_rate_hz
        if rate_hz == self.sample_rate_hz:
            return chunk
        jump = chunk.start != self._next_input or rate_hz != self._input_rate_hz
        if self._stream is None or jump:
            self._stream = soxr.ResampleStream(rate_hz, self.sample_rate_hz, 1, dtype="float32")
            self._input_rate_hz = rate_hz
            self._next_output = round(chunk.start * self.sample_rate_hz / rate_hz)
        self._next_input = chunk.end
        return self._emit(self._stream, chunk, last=False)

    def finish(self, chunk: AudioChunk) -> AudioChunk:
        """What the resampler still holds after `chunk`, the last one that was pushed."""
        tail, stream, self._stream = chunk.tail, self._stream, None
        return tail if stream is None else self._emit(stream, tail, last=True)

    def _emit(self, stream: soxr.ResampleStream, chunk: AudioChunk, *, last: bool) -> AudioChunk:
        samples = stream.resample_chunk(chunk.samples, last=last)
        start, self._next_output = self._next_output, self._next_output + len(samples)
        seconds_after = start / self.sample_rate_hz - chunk.start / chunk.sample_rate_hz
        return AudioChunk(
            chunk.source, start, chunk.captured_at + seconds_after, self.sample_rate_hz, samples
        )


@dataclass(frozen=True, slots=True)
class ConditionLimits:
    """When a source counts as silent or clipping.

    No working microphone stays under `silent_below_dbfs`. `clipping_share` is the share of the samples of
    a patch hop that are at full scale.
    """

    silent_below_dbfs: float = -90.0
    silent_after_seconds: float = 30.0
    clipping_share: float = 0.01
    clipping_after_seconds: float = 5.0

    def describe(self, condition: Condition) -> str | None:
        """Why a source is not simply online, one line for people."""
        match condition:
            case "silent":
                seconds = self.silent_after_seconds
                return f"nothing over {self.silent_below_dbfs:g} dBFS for {seconds:g} s"
            case "clipping":
                percent = 100 * self.clipping_share
                return f"often {percent:g} % of the samples or more are at full scale"
            case "online":
                return None


class ConditionMeter:
    """Levels of one source, patch hop by patch hop -> its condition.

    The first sound ends silence. Clipping has a counter between 0 and its limit, which rises with clipped
    audio and falls with any other: clipping begins at the limit and ends at 0, so that pauses between
    words do not end it.
    """

    def __init__(self, limits: ConditionLimits) -> None:
        self._limits = limits
        self._silent_seconds = 0.0
        self._clipped_seconds = 0.0
        self._clipping = False

    def push(self, seconds: float, level_dbfs: float, clipped_share: float) -> Condition:
        """Add the next `seconds` of audio: their level, and the share of samples at full scale."""
        limits = self._limits
        silent = level_dbfs < limits.silent_below_dbfs
        self._silent_seconds = self._silent_seconds + seconds if silent else 0.0
        change = seconds if clipped_share >= limits.clipping_share else -seconds
        limit = limits.clipping_after_seconds
        self._clipped_seconds = min(max(0.0, self._clipped_seconds + change), limit)
        if self._clipped_seconds in (0.0, limit):
            self._clipping = self._clipped_seconds == limit
        if self._silent_seconds >= limits.silent_after_seconds:
            return "silent"
        return "clipping" if self._clipping else "online"
