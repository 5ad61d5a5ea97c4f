"""How long to wait before the next try to connect."""

from __future__ import annotations

from random import Random

TAKEN_OVER_SECONDS = 60.0  # two clients with one id would cut each other off in a tight loop
STABLE_SECONDS = 5.0
_LEAST_SHARE = 0.5


FIRST_SECONDS, LIMIT_SECONDS = 1.0, 15.0


class Backoff:
    """Doubled after each failure, with jitter, so that a house of stations does not come all at once.

    A connection that did not stand for a while counts as a failure, too: two clients with one id cut each
    other off, and not every broker says why.
    """

    def __init__(self, chance: Random | None = None) -> None:
        self._chance = chance or Random()
        self._failures = 0

    def note_stood(self, seconds: float) -> None:
        """A connection stood for so long."""
        if seconds >= STABLE_SECONDS:
            self._failures = 0

    def seconds(self, *, taken_over: bool = False) -> float:
        """After one more failure."""
        limit = min(LIMIT_SECONDS, FIRST_SECONDS * 2**self._failures)
        self._failures += self._failures < LIMIT_SECONDS
        chosen = TAKEN_OVER_SECONDS if taken_over else limit
        return chosen * self._chance.uniform(_LEAST_SHARE, 1.0)
