"""Unix time for what cannot be undone: only from a clock that was not set for a while."""

import time
from collections.abc import Callable

# Long enough for NTP, or for a person, to set a clock right that was set wrong
SETTLE_SECONDS = 3600.0
_STEP_SECONDS = 60.0  # ages are counted in days


class SettledClock:
    """Unix time, or None for an hour after the start and after each step of the clock.

    A station whose clock is 400 days ahead for a moment would delete every clip as too old. It compares
    the clock with the monotonic one at each reading.
    """

    def __init__(
        self, now: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._now, self._monotonic = now, monotonic
        self._since = monotonic()
        self._offset = now() - self._since

    def read(self) -> float | None:
        """The time, if the clock has not been set for long enough."""
        now, uptime = self._now(), self._monotonic()
        before, self._offset = self._offset, now - uptime
        if abs(self._offset - before) > _STEP_SECONDS:
            self._since = uptime
        return now if uptime - self._since >= SETTLE_SECONDS else None
