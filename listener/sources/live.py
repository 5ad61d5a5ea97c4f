"""Samples of a live source between their arrival and `read`, each with its place in time."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from listener.detection.audio import AudioChunk, Samples
from listener.service import unix_minus_monotonic
from listener.sources.source import IDLE_SECONDS, SourceError

LET_UP = 200e-6  # seconds per second of audio; sound cards drift by up to about 100 ppm
# A live server whose clock is fast must not be held back; no clock is off by as much as this.
REFILL = 1.001  # seconds of audio per second
LEAD_SECONDS = 10.0  # of a recording are taken at once, the rest at the speed of time
SETTLE_SECONDS = 0.3  # an opening burst is collected whole before its first sample gets a time


# When the samples of a live source were captured: sample counts against the times of arrival.


class SampleClock:
    """Sample index -> time, for samples that arrive late but never early.

    The time of sample 0 is the smallest `arrival - index / rate` seen, so that jitter and waiting
    do not move it. It is let up slowly, so that a source slower than its rate is followed as well.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._anchor: float | None = None  # time of sample 0
        self._end = 0

    def observe(self, end: int, now: float) -> float:
        """Note that the samples before `end` were there at `now`; gives how late, in seconds."""
        earliest = now - end / self._sample_rate_hz
        if self._anchor is None:
            self._anchor = earliest
        let_up = LET_UP * (end - self._end) / self._sample_rate_hz
        self._anchor = min(self._anchor + let_up, earliest)
        self._end = end
        return earliest - self._anchor

    def time_of(self, index: int) -> float:
        """When sample `index` was captured, on the clock of `observe`.

        Raises:
            ValueError: nothing was observed yet.
        """
        if self._anchor is None:
            raise ValueError("expected an observation before a question")
        return self._anchor + index / self._sample_rate_hz


class HoleFinder:
    """Tells audio that is lost from audio that is late.

    Late audio catches up. When nothing has arrived on time for a whole window, the smallest
    lateness in it is audio that never came; PortAudio and FFmpeg report no such loss themselves.
    """

    def __init__(self, hole_seconds: float, window_seconds: float) -> None:
        self._hole_seconds = hole_seconds
        self._window_seconds = window_seconds
        self._window_began: float | None = None
        self._least = 0.0

    def missing(self, lateness: float, now: float) -> float:
        """Seconds of audio found to be lost by this arrival, mostly 0."""
        if self._window_began is not None and now - self._window_began < self._window_seconds:
            self._least = min(self._least, lateness)
            return 0.0
        found = self._least if self._least > self._hole_seconds else 0.0
        self._window_began, self._least = now, max(0.0, lateness - found)
        return found


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


# How far a stream may run ahead of real time.


class RealTimePace:
    """Lets `lead_seconds` of audio through at once and the rest at the speed of time.

    So a live server's opening burst costs no latency, and a recording is not swallowed whole.
    """

    def __init__(self, lead_seconds: float) -> None:
        self._lead_seconds = lead_seconds
        self._credit_seconds = lead_seconds
        self._at: float | None = None

    def take(self, seconds: float, now: float) -> None:
        """Note that so much audio was taken at `now` (monotonic seconds)."""
        self._credit_seconds = self._credit(now) - seconds
        self._at = now

    def wait_seconds(self, now: float) -> float:
        """How long to wait before more is taken; 0 when there is no need to."""
        return max(0.0, -self._credit(now) / REFILL)

    def _credit(self, now: float) -> float:
        elapsed = 0.0 if self._at is None else now - self._at
        return min(self._lead_seconds, self._credit_seconds + elapsed * REFILL)


# How fast a live source takes in what its producer offers.


Receive = Callable[[float], bool]


class Intake:
    """Paces a source that is asked for its samples, and places them in time.

    The source gives a `receive(deadline)`: it waits for more until the deadline (monotonic
    seconds), pushes what came, and is False when nothing came. When it raises SourceError, what
    came before is still handed over first.
    """

    def __init__(self, buffer: LiveBuffer) -> None:
        self._buffer = buffer
        self._pace = RealTimePace(LEAD_SECONDS)
        self._closed = threading.Event()
        self._settled = False
        self._failure: SourceError | None = None

    def push(self, samples: Samples, sample_rate_hz: int) -> None:
        """Take mono float32 (n,) that arrived just now."""
        now = time.monotonic()
        self._buffer.append(samples, now)
        self._pace.take(len(samples) / sample_rate_hz, now)

    def read(self, seconds: float, receive: Receive) -> AudioChunk | None:
        """What `AudioSource.read` gives; None when closed. At the end of audio chunks are empty.

        Raises:
            SourceError: raised by `receive`, now or before.
        """
        deadline = time.monotonic() + IDLE_SECONDS
        try:
            self._fill(seconds, deadline, receive)
        except SourceError as error:
            self._failure = error
        if self._closed.is_set():
            return None
        if self._failure is not None and not self._buffer.seconds:
            raise self._failure
        return self._buffer.take(seconds)

    def close(self) -> None:
        """End a wait; a `receive` under way on another thread is not cut short."""
        self._closed.set()

    def _fill(self, seconds: float, deadline: float, receive: Receive) -> None:
        if self._failure is not None:
            return
        if not self._settled:
            self._settle(deadline, receive)
        while self._buffer.seconds < seconds and self._in_step(deadline) and receive(deadline):
            pass

    def _settle(self, deadline: float, receive: Receive) -> None:
        while not self._buffer.seconds and receive(deadline):
            pass
        self._settled = self._buffer.seconds > 0
        until = time.monotonic() + SETTLE_SECONDS
        while self._settled and self._in_step(until) and receive(until):
            pass

    def _in_step(self, deadline: float) -> bool:
        """Wait until more may be taken; False if that is not before the deadline."""
        now = time.monotonic()
        wait = self._pace.wait_seconds(now)
        return not self._closed.wait(min(wait, max(0.0, deadline - now))) and now + wait <= deadline
