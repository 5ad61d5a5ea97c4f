"""How far a stream may run ahead of real time."""

from __future__ import annotations

# A live server whose clock is fast must not be held back; no clock is off by as much as this.
REFILL = 1.001  # seconds of audio per second


class Pace:
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
