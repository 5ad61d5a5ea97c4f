"""When the samples of a live source were captured: sample counts against the times of arrival."""

from __future__ import annotations

LET_UP = 200e-6  # seconds per second of audio; sound cards drift by up to about 100 ppm


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
