"""PCM on its way to the features: chunks, mono mix, level, streaming resampler."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

SILENCE_DBFS = -120.0  # the floor of every level; digital silence is reported as this, never as 0
FULL_SCALE = 0.99  # from here on a sample is clipped; resampling smooths what was cut off at 1.0
MOST_CHANNELS = 64
LOUDEST_SAMPLE = 1e6  # 120 dB over full scale is a broken file; the power of 1e20 is infinite


Samples = NDArray[np.float32]

LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1_000, 768_000  # of a source; what is outside is no audio
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
        """What follows it, without a sample yet.

        Who wants to know of the newest chunk where it ended keeps this: of hundreds of sources, samples
        that are done with would fill the caches.
        """
        return AudioChunk(self.source, self.end, self.ended_at, self.sample_rate_hz, _NO_SAMPLES)


def mix_to_mono(pcm: NDArray[np.float32]) -> Samples:
    """The mean over channels: (n, channels) or (n,) -> (n,)."""
    if pcm.ndim == 1:
        return pcm
    if pcm.shape[1] == 1:
        return np.ascontiguousarray(pcm[:, 0])
    # 70 times as fast as mean(axis=1) on the few channels there are
    mono: Samples = pcm @ np.full(pcm.shape[1], 1 / pcm.shape[1], np.float32)
    return mono


def pcm16_to_float(pcm: NDArray[np.int16]) -> Samples:
    """16-bit PCM -> float32 in [-1, 1)."""
    return pcm.astype(np.float32) / np.float32(32768.0)


def zero_nonfinite(samples: Samples) -> tuple[Samples, int]:
    """The samples with NaN, infinity and what is over LOUDEST_SAMPLE set to zero, and how many were.

    One NaN would make every score NaN and the detector silently deaf.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # infinite is over the limit, too
        # at least as large as each square, and NaN if one is: one pass, no temporary
        sum_of_squares = np.dot(samples, samples)
    if sum_of_squares <= LOUDEST_SAMPLE**2:
        return samples, 0
    bad = ~(np.abs(samples) <= LOUDEST_SAMPLE)
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
        """Take more samples, float32 (n,)."""
        if not len(samples):
            return
        self._energy += float(np.dot(samples, samples))
        peak = max(float(samples.max()), -float(samples.min()))
        if peak >= FULL_SCALE:
            self._clipped += int(np.count_nonzero(np.abs(samples) >= FULL_SCALE))
        self._peak = max(self._peak, peak)
        self._count += len(samples)

    def read(self) -> Loudness:
        """Of all since the last reading; silence if there was no sample."""
        count = max(1, self._count)
        rms = math.sqrt(self._energy / count)
        loudness = Loudness(to_dbfs(rms), to_dbfs(self._peak), self._clipped / count)
        self._energy, self._peak, self._clipped, self._count = 0.0, 0.0, 0, 0
        return loudness


class ChunkResampler:
    """Chunks at a source's native rate -> chunks at the model's rate, the same time line.

    soxr delays its output but does not shift it: sample k out is the sound at k / rate, so that the
    time of a chunk follows from counts. A jump in `start` or another rate begins a new stretch.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._stream: soxr.ResampleStream | None = None
        self._input_rate_hz = 0
        self._next_input = 0
        self._next_output = 0

    def push(self, chunk: AudioChunk) -> AudioChunk:
        """The part of the resampled stream that this chunk completes; may have no samples."""
        if chunk.sample_rate_hz == self.sample_rate_hz:
            return chunk
        if self._stream is None or self._is_break(chunk):
            self._stream = self._begin(chunk)
        self._next_input = chunk.end
        return self._emit(self._stream, chunk, last=False)

    def finish(self, chunk: AudioChunk) -> AudioChunk:
        """What is still inside after `chunk`, the last one that was pushed."""
        tail, stream, self._stream = chunk.tail, self._stream, None
        return tail if stream is None else self._emit(stream, tail, last=True)

    def _is_break(self, chunk: AudioChunk) -> bool:
        return chunk.start != self._next_input or chunk.sample_rate_hz != self._input_rate_hz

    def _begin(self, chunk: AudioChunk) -> soxr.ResampleStream:
        self._input_rate_hz = chunk.sample_rate_hz
        self._next_output = round(chunk.start * self.sample_rate_hz / chunk.sample_rate_hz)
        return soxr.ResampleStream(chunk.sample_rate_hz, self.sample_rate_hz, 1, dtype="float32")

    def _emit(self, stream: soxr.ResampleStream, chunk: AudioChunk, *, last: bool) -> AudioChunk:
        samples = stream.resample_chunk(chunk.samples, last=last)
        start, self._next_output = self._next_output, self._next_output + len(samples)
        seconds_after = start / self.sample_rate_hz - chunk.start / chunk.sample_rate_hz
        return AudioChunk(
            chunk.source, start, chunk.captured_at + seconds_after, self.sample_rate_hz, samples
        )


# Whether a source that gives audio can hear: silence that is none, and sound beyond full scale.


Condition = Literal["online", "silent", "clipping"]
"""What a source is whose patches are analysed."""
Status = Literal["offline", "online", "silent", "clipping"]
"""What a source is."""


@dataclass(frozen=True, slots=True)
class ConditionLimits:
    """From when on a source counts as silent or clipping.

    `silent_below_dbfs`: a level that no working microphone goes under. `clipping_share`: of the samples
    of a patch hop at full scale.
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
                return f"often {percent:g} % of the samples and more are at full scale"
            case "online":
                return None


class ConditionMeter:
    """Levels of one source, patch hop after patch hop -> its condition.

    Silence is counted in a row and ends with the first sound. Clipping is counted up where samples are
    clipped and down where none are, between nothing and the limit; it begins at the one end and is over
    at the other, so that pauses between words do not end it.
    """

    def __init__(self, limits: ConditionLimits) -> None:
        self._limits = limits
        self._silent_seconds = 0.0
        self._clipped_seconds = 0.0
        self._clipping = False

    def push(self, seconds: float, level_dbfs: float, clipped_share: float) -> Condition:
        """Take the next `seconds` of audio: their level, and the share of samples at full scale."""
        limits = self._limits
        silent = level_dbfs < limits.silent_below_dbfs
        self._silent_seconds = self._silent_seconds + seconds if silent else 0.0
        self._count_clipping(seconds if clipped_share >= limits.clipping_share else -seconds)
        if self._silent_seconds >= limits.silent_after_seconds:
            return "silent"
        return "clipping" if self._clipping else "online"

    def _count_clipping(self, seconds: float) -> None:
        limit = self._limits.clipping_after_seconds
        self._clipped_seconds = min(max(0.0, self._clipped_seconds + seconds), limit)
        if self._clipped_seconds in (0.0, limit):
            self._clipping = self._clipped_seconds == limit
