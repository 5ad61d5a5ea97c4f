"""An unexpected error stays with the part in which it happened: counted, logged once an episode."""

import logging
import re
import time
import traceback
from collections import Counter
from collections.abc import Callable
from types import TracebackType

log = logging.getLogger(__name__)

CALM_SECONDS = 60.0  # without an error: the episode is over
SUMMARY_SECONDS = 3600.0  # between two lines about an episode that goes on
_LONGEST_LINE = 200
# An address may hold a password, and no rule tells where a wrong one ends: nothing of it is shown.
_ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]*://).*", re.IGNORECASE)


def describe(error: BaseException) -> str:
    """The kind of an error and what it says, in one line without addresses."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return _ADDRESS.sub(r"\1...", text)[:_LONGEST_LINE]


def trace_of(error: BaseException) -> str:
    """The traceback of an error, without addresses."""
    return _ADDRESS.sub(r"\1...", "".join(traceback.format_exception(error))).rstrip()


class FaultBarrier:
    """A context that lets no Exception out: the part goes on with its next piece of work.

    Each error is counted under the name of the part. The first of an episode is logged with its
    traceback, the others are summed up once an hour. Used by one thread.
    """

    def __init__(
        self, part: str, counts: Counter[str], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._part, self._counts, self._now = part, counts, now
        counts.setdefault(part, 0)  # from zero on: Prometheus sees no increase in a new series
        self._failed_at = self._logged_at = float("-inf")
        self._unlogged = 0

    def __enter__(self) -> None:
        """Begin a piece of work."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self._counts[self._part] += 1
        now, before = self._now(), self._failed_at
        self._failed_at = now
        if now - before > CALM_SECONDS:
            log.error("%s: failed, and goes on: %s", self._part, trace_of(error))
            self._logged_at, self._unlogged = now, 0
            return True
        self._unlogged += 1
        if now - self._logged_at >= SUMMARY_SECONDS:
            log.error("%s: failed %d more times: %s", self._part, self._unlogged, describe(error))
            self._logged_at, self._unlogged = now, 0
        return True
