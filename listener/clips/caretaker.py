"""Looks after the disk of a clip store between two clips."""

from __future__ import annotations

import logging
import time

from listener.clips.store import ClipStore
from listener.detection.clip import ClipError
from listener.health import Health

log = logging.getLogger(__name__)

_EVERY_SECONDS = 5.0


class Caretaker:
    """Gives room back when something else fills the disk; for one thread."""

    def __init__(self, store: ClipStore, health: Health) -> None:
        self._store, self._health = store, health
        self._next_at = 0.0  # monotonic
        self._failing = False

    def look(self) -> None:
        """A few times a second, or less often; a failure is told once an episode."""
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + _EVERY_SECONDS
        try:
            self._store.keep_reserve()
            self._health.clips_free_bytes = self._store.free_bytes()
        except ClipError as error:
            if not self._failing:
                log.warning("clips: %s", error)
            self._failing = True
        else:
            self._failing = False
