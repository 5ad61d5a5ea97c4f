"""Tells the service manager how the station is, and feeds its watchdog while every stage moves."""

from __future__ import annotations

import logging
import math
import time

from listener.health import STALLED_SECONDS, Health
from listener.service import ServiceManager

log = logging.getLogger(__name__)


class Watchdog:
    """Looks at the stages' heartbeats, a few times within the watchdog's time.

    A stage hangs when it has not moved for STALLED_SECONDS, or for the watchdog's time where that is
    shorter. Stages beat every second or two: under five seconds is no time for a watchdog.
    """

    def __init__(self, manager: ServiceManager, health: Health) -> None:
        self._manager, self._health = manager, health
        self._period = manager.watchdog_seconds or math.inf
        self._fed_at = -math.inf
        self._hangs = False  # so that it is told once an episode

    def look(self) -> None:
        """Feed it, or say which stage hangs."""
        stalled = self._health.stalled(after_seconds=min(STALLED_SECONDS, self._period))
        if stalled:
            self._tell(", ".join(stalled))
        else:
            self._manager.status(self._health.summary())
            self._feed()
        self._hangs = bool(stalled)

    def _tell(self, stalled: str) -> None:
        if not self._hangs:
            log.error("%s; the watchdog is not fed", stalled)
            self._manager.status(stalled)

    def _feed(self) -> None:
        now = time.monotonic()
        # half the period, as sd_watchdog_enabled(3) advises
        if math.isfinite(self._period) and now - self._fed_at >= self._period / 2:
            self._manager.alive()
            self._fed_at = now
