"""Live audio between its arrival and `read`: buffered, paced, and each sample with a time."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from listener.backoff import TokenBucket
from listener.detection.audio import AudioChunk, Samples
from listener.sources.source import IDLE_SECONDS, SourceError, unix_minus_monotonic

log = logging.getLogger(__name__)

DRIFT = 200e-6  # seconds per second of audio; sound cards drift by up to about 100 ppm
# Seconds of audio per second: more than one, so that a live server whose clock is fast is not slowed down.
PACE = 1.001
LEAD_SECONDS = 10.0  # of a recording are read at once, the rest in real time
SETTLE_SECONDS = 0.3  # an opening burst is collected before its first sample gets a time


class SampleClock:
    """Sample index -> capture time, for samples that arrive late but never early.

    The time of sample 0 is the smallest `arrival - index / rate` seen, so that jitter and waits do not
    move it. It may drift upwards slowly, to follow a source that is slower than its nominal rate.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._anchor: float | None = None  # time of sample 0
        self._end = 0

    def observe(self, end: int, now: float) -> float:
        """Note that the samples before `end` had arrived at `now`; returns how late, in seconds."""
        earliest = now - end / self._sample_rate_hz
        if self._anchor is None:
            self._anchor = earliest
        drift = DRIFT * (end - self._end) / self._sample_rate_hz
        self._anchor = min(self._anchor + drift, earliest)
        self._end = end
        return earliest - self._anchor

    def time_of(self, index: int) -> float:
        """When sample `index` was captured, on the clock of `observe`.

        Raises:
            ValueError: nothing has been observed yet.
        """
        if self._anchor is None:
            raise ValueError("expected an observation first")
        return self._anchor + index / self._sample_rate_hz


class GapDetector:
    """Tells lost audio from late audio.

    Late audio catches up. When nothing arrives on time for a whole window, the smallest lateness in it
    is audio that was lost; PortAudio and FFmpeg do not report such a loss.
    """

    def __init__(self, gap_seconds: float, window_seconds: float) -> None:
        self._gap_seconds = gap_seconds
        self._window_seconds = window_seconds
        self._window_began: float | None = None
        self._least = 0.0

    def lost_seconds(self, lateness: float, now: float) -> float:
        """Seconds of audio found lost at an arrival that was so late; mostly 0."""
        if self._window_began is not None and now - self._window_began < self._window_seconds:
            self._least = min(self._least, lateness)
            return 0.0
        lost = self._least if self._least > self._gap_seconds else 0.0
        self._window_began, self._least = now, max(0.0, lateness - lost)
        return lost


class LiveBuffer:
    """Blocks in as they arrive, chunks out; used by one thread.

    Arrivals are in monotonic seconds, chunks in unix time. Lost samples, reported or detected, count in
    `AudioChunk.start`, and no chunk spans a gap.
    """

    def __init__(
        self,
        source: str,
        sample_rate_hz: int,
        gaps: GapDetector,
        unix_offset: Callable[[], float] = unix_minus_monotonic,
    ) -> None:
        self.gaps_found = 0
        self._source = source
        self._sample_rate_hz = sample_rate_hz
        self._clock = SampleClock(sample_rate_hz)
        self._gaps = gaps
        self._unix_offset = unix_offset
        self._blocks: deque[tuple[int, Samples]] = deque()  # start index, samples
        self._buffered = 0
        self._end = 0

    @property
    def seconds(self) -> float:
        """How much audio is in the buffer."""
        return self._buffered / self._sample_rate_hz

    def append(self, samples: Samples, now: float) -> None:
        """Append a block of mono float32 (n,) whose last sample arrived at `now`."""
        if not len(samples):
            return
        lateness = self._clock.observe(self._end + len(samples), now)
        lost = self._gaps.lost_seconds(lateness, now)
        if lost:
            log.warning("source %s: %.1f s of audio are missing", self._source, lost)
            self.gaps_found += 1
            self.skip(round(lost * self._sample_rate_hz))
        self._blocks.append((self._end, samples))
        self._buffered += len(samples)
        self._end += len(samples)

    def skip(self, samples: int) -> None:
        """Count samples that were lost before the next block."""
        self._end += samples

    def pop(self, seconds: float) -> AudioChunk:
        """The oldest audio up to the next gap, at most `seconds`, but one sample at least."""
        start = end = self._blocks[0][0] if self._blocks else self._end
        wanted = max(1, round(seconds * self._sample_rate_hz))
        parts = []
        while wanted and self._blocks and self._blocks[0][0] == end:
            _, samples = self._blocks.popleft()
            if len(samples) > wanted:
                self._blocks.appendleft((end + wanted, samples[wanted:]))
            parts.append(samples[:wanted])
            wanted -= len(parts[-1])
            end += len(parts[-1])
        self._buffered -= end - start
        # one block is not copied
        samples = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.float32), *parts])
        arrived = self._end > 0
        captured_at = self._clock.time_of(start) if arrived else time.monotonic()
        return AudioChunk(
            self._source, start, captured_at + self._unix_offset(), self._sample_rate_hz, samples
        )


Receive = Callable[[float], bool]


class PacedReader:
    """Reads a source that is asked for its samples, no faster than real time after a lead.

    So the opening burst of a live server adds no latency, and a recording is not read all at once. The
    source's `receive(deadline)` waits for more until the deadline (monotonic seconds), pushes what came
    and returns False if nothing came. If it raises SourceError, what came before is delivered first.
    """

    def __init__(self, buffer: LiveBuffer) -> None:
        self._buffer = buffer
        # a token is a second of audio, and a bucket lets the next one through while it holds a whole one
        self._pace = TokenBucket(PACE, LEAD_SECONDS + 1.0)
        self._closed = threading.Event()
        self._settled = False
        self._failure: SourceError | None = None

    def push(self, samples: Samples, sample_rate_hz: int) -> None:
        """Append mono float32 (n,) that arrived just now."""
        self._buffer.append(samples, time.monotonic())
        self._pace.take(len(samples) / sample_rate_hz)

    def read(self, seconds: float, receive: Receive) -> AudioChunk | None:
        """What `AudioSource.read` returns; None when closed. At the end of the audio chunks are empty.

        Raises:
            SourceError: raised by `receive`, now or before.
        """
        deadline = time.monotonic() + IDLE_SECONDS
        try:
            if self._failure is None:
                self._fill(seconds, deadline, receive)
        except SourceError as error:
            self._failure = error
        if self._closed.is_set():
            return None
        if self._failure is not None and not self._buffer.seconds:
            raise self._failure
        return self._buffer.pop(seconds)

    def close(self) -> None:
        """End a wait; a `receive` under way on another thread is not interrupted."""
        self._closed.set()

    def _fill(self, seconds: float, deadline: float, receive: Receive) -> None:
        if not self._settled:
            while not self._buffer.seconds and receive(deadline):
                pass
            self._settled = self._buffer.seconds > 0
            settled_at = time.monotonic() + SETTLE_SECONDS
            while self._settled and self._keep_pace(settled_at) and receive(settled_at):
                pass
        while self._buffer.seconds < seconds and self._keep_pace(deadline) and receive(deadline):
            pass

    def _keep_pace(self, deadline: float) -> bool:
        """Wait until more may be read; False if that is after the deadline, or when closed."""
        now = time.monotonic()
        wait = self._pace.wait_seconds
        return not self._closed.wait(min(wait, max(0.0, deadline - now))) and now + wait <= deadline
