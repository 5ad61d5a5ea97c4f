"""Samples of a live source between their arrival and `read`, each with its place in time."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from listener.clock import unix_minus_monotonic
from listener.detection.audio import AudioChunk, Samples
from listener.sources.clock import HoleFinder, SampleClock

logger = logging.getLogger(__name__)


class LiveBuffer:
    """Blocks in as they arrive, chunks out; used by one thread.

    Arrival is told in monotonic seconds, chunks carry unix time. Samples known or found to be lost
    are counted in `AudioChunk.start`, and no chunk spans a hole.
    """

    def __init__(
        self,
        source: str,
        sample_rate_hz: int,
        holes: HoleFinder,
        unix_offset: Callable[[], float] = unix_minus_monotonic,
    ) -> None:
        self.holes_found = 0
        self._source = source
        self._sample_rate_hz = sample_rate_hz
        self._clock = SampleClock(sample_rate_hz)
        self._holes = holes
        self._unix_offset = unix_offset
        self._blocks: deque[tuple[int, Samples]] = deque()  # start index, samples
        self._buffered = 0
        self._end = 0

    @property
    def seconds(self) -> float:
        """How much audio waits in the buffer."""
        return self._buffered / self._sample_rate_hz

    def append(self, samples: Samples, now: float) -> None:
        """Take a block of mono float32 (n,) whose last sample arrived at `now`."""
        if not len(samples):
            return
        lateness = self._clock.observe(self._end + len(samples), now)
        missing = self._holes.missing(lateness, now)
        if missing:
            logger.warning("source %s: %.1f s of audio are missing", self._source, missing)
            self.holes_found += 1
            self.skip(round(missing * self._sample_rate_hz))
        self._blocks.append((self._end, samples))
        self._buffered += len(samples)
        self._end += len(samples)

    def skip(self, samples: int) -> None:
        """Count samples that were lost before the next block."""
        self._end += samples

    def take(self, seconds: float) -> AudioChunk:
        """The oldest audio, at most `seconds` (one sample at least) and up to the next hole."""
        start = self._blocks[0][0] if self._blocks else self._end
        wanted = max(1, round(seconds * self._sample_rate_hz))
        samples = self._pop(min(wanted, self._stretch()))
        return AudioChunk(self._source, start, self._unix(start), self._sample_rate_hz, samples)

    def _stretch(self) -> int:
        """Samples up to the first hole."""
        for (start, samples), (after, _) in pairwise(self._blocks):
            if start + len(samples) != after:
                return start + len(samples) - self._blocks[0][0]
        return self._buffered

    def _pop(self, count: int) -> Samples:
        parts = [np.empty(0, np.float32)]
        self._buffered -= count
        while count:
            start, samples = self._blocks.popleft()
            if len(samples) > count:
                self._blocks.appendleft((start + count, samples[count:]))
            parts.append(samples[:count])
            count -= len(parts[-1])
        return parts[1] if len(parts) == 2 else np.concatenate(parts)  # noqa: PLR2004 - one block: no copy

    def _unix(self, index: int) -> float:
        if self._end == 0:  # nothing has arrived yet
            return time.monotonic() + self._unix_offset()
        return self._clock.time_of(index) + self._unix_offset()
