"""How fast messages go out: the broker's queue for a slow subscriber overflows in silence."""

from __future__ import annotations

import time
from collections.abc import Callable

MESSAGES_PER_SECOND = 200.0
BURST_MESSAGES = 100  # Mosquitto keeps 1000 for a subscriber
# States, while no event is on its way: a source with YAMNet's 521 labels at once, and 64 in half a minute
STATES_PER_SECOND = 1000.0
BURST_STATES = 600


class Pace:
    """A token bucket: a burst at once, then so many a second."""

    def __init__(
        self,
        per_second: float = MESSAGES_PER_SECOND,
        burst: int = BURST_MESSAGES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second, self._burst, self._now = per_second, burst, now
        self._tokens, self._filled_at = float(burst), now()

    @property
    def wait_seconds(self) -> float:
        """How long until the next message may go; 0: now."""
        self._fill()
        return max(0.0, (1.0 - self._tokens) / self._per_second)

    def take(self) -> None:
        """One goes."""
        self._fill()
        self._tokens -= 1.0

    def _fill(self) -> None:
        now = self._now()
        gained = (now - self._filled_at) * self._per_second
        self._tokens, self._filled_at = min(self._burst, self._tokens + gained), now


class Paces:
    """One for everything while events are on their way, a faster one for states alone."""

    def __init__(self) -> None:
        self._events, self._states = Pace(), Pace(STATES_PER_SECOND, BURST_STATES)

    def now(self, *, has_events: bool) -> Pace:
        """The one that counts now."""
        return self._events if has_events else self._states
