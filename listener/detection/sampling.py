"""How often clips are taken that no event asks for; counted in the time of samples."""

from __future__ import annotations

import math
from random import Random

_HOUR_SECONDS = 3600.0


class Allowance:
    """At most so many an hour: one, and then none for its share of the hour."""

    def __init__(self, per_hour: float) -> None:
        self._rest_seconds = _HOUR_SECONDS / per_hour if per_hour else math.inf
        self._taken_at: float | None = None

    def take(self, at: float) -> bool:
        """Whether one may be taken at that time, seconds; if so, it is."""
        if not math.isfinite(self._rest_seconds):
            return False
        # the distance, so that a clock that was set back does not end it
        if self._taken_at is not None and abs(at - self._taken_at) < self._rest_seconds:
            return False
        self._taken_at = at
        return True


class RandomMoments:
    """One moment at random in each period of an hour / `per_hour`."""

    def __init__(self, per_hour: float, random: Random) -> None:
        self._period_seconds = _HOUR_SECONDS / per_hour if per_hour else math.inf
        self._random = random
        self._period_begins = math.inf
        self._moment = math.inf

    def passed(self, at: float) -> bool:
        """Whether a moment has passed since the last call; `at` is in seconds."""
        if not math.isfinite(self._period_seconds):
            return False
        periods = (at - self._period_begins) / self._period_seconds
        if not -1.0 <= periods <= 1.0:  # at first, after a long pause, and when a clock was set
            self._begin_period(at)
        if at < self._moment:
            return False
        self._begin_period(self._period_begins + self._period_seconds)
        return True

    def _begin_period(self, at: float) -> None:
        self._period_begins = at
        self._moment = at + self._random.random() * self._period_seconds
