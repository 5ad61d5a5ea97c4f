"""How long to wait: after a failure before the next attempt, and between messages."""

import math
import time
from collections.abc import Callable
from random import Random

_LEAST_SHARE = 0.5  # of a wait after jitter, so that many stations do not retry at once


class Backoff:
    """The wait after each failure in a row: doubled up to `limit_seconds`, with jitter."""

    def __init__(
        self, first_seconds: float = 1.0, limit_seconds: float = 15.0, random: Random | None = None
    ) -> None:
        self._first_seconds, self._limit_seconds = first_seconds, limit_seconds
        self._random = random or Random()
        self.failures = 0  # in a row

    def reset(self) -> None:
        """The last attempt succeeded."""
        self.failures = 0

    def next_seconds(self, limit_seconds: float = math.inf) -> float:
        """The wait after one more failure, with jitter; never over `limit_seconds`."""
        doubled = self._first_seconds * 2.0 ** min(self.failures, 32)
        self.failures += 1
        return self.spread(min(doubled, self._limit_seconds, limit_seconds))

    def spread(self, seconds: float) -> float:
        """A random wait between half of `seconds` and all of it."""
        return seconds * self._random.uniform(_LEAST_SHARE, 1.0)


class TokenBucket:
    """Lets `burst` messages pass at once, then `per_second`; times are monotonic seconds."""

    def __init__(
        self, per_second: float, burst: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second, self._burst, self._now = per_second, float(burst), now
        self._tokens, self._filled_at = self._burst, now()

    @property
    def wait_seconds(self) -> float:
        """How long until the next message may pass; 0: now."""
        self._fill()
        return max(0.0, (1.0 - self._tokens) / self._per_second)

    def take(self, tokens: float = 1.0) -> None:
        """Count one that goes, or so many; the caller has waited."""
        self._fill()
        self._tokens -= tokens

    def _fill(self) -> None:
        now = self._now()
        gained = (now - self._filled_at) * self._per_second
        self._tokens, self._filled_at = min(self._burst, self._tokens + gained), now
