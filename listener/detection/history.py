"""The last seconds of one source, read by sample range."""

from __future__ import annotations

import numpy as np

from listener.detection.audio import AudioChunk, Samples


class History:
    """A ring of the newest samples of a source, so that a clip can begin before its event."""

    def __init__(self, sample_rate_hz: int, seconds: float) -> None:
        self._ring = np.zeros(max(1, round(sample_rate_hz * seconds)), np.float32)
        self._start = 0
        self._end = 0

    @property
    def start(self) -> int:
        """Index of the oldest sample that is still here."""
        return self._start

    @property
    def end(self) -> int:
        """Index after the newest sample."""
        return self._end

    def push(self, chunk: AudioChunk) -> None:
        """Take the next chunk; what a jump in `start` skipped is silence, a jump back begins anew."""
        empty = self._start == self._end
        if empty or chunk.start < self._end or chunk.start - self._end >= len(self._ring):
            self._start = self._end = chunk.start
        if chunk.start > self._end:
            self._write(np.zeros(chunk.start - self._end, np.float32))
        self._write(chunk.samples)

    def _write(self, samples: Samples) -> None:
        size = len(self._ring)
        self._end += len(samples)
        newest = samples[-size:]
        first = (self._end - len(newest)) % size
        upto_edge = min(len(newest), size - first)
        self._ring[first : first + upto_edge] = newest[:upto_edge]
        self._ring[: len(newest) - upto_edge] = newest[upto_edge:]
        self._start = max(self._start, self._end - size)

    def read(self, start: int, end: int) -> tuple[int, Samples]:
        """A copy of the samples from `start` to before `end` that are still here, and where they start.

        What is too old or has not come yet is left out: the array may be shorter, or empty.
        """
        start = min(max(start, self._start), self._end)
        end = min(max(end, start), self._end)
        indices = np.arange(start, end) % len(self._ring)
        return start, self._ring[indices]
