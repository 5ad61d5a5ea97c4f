"""Stores clips."""

import logging
import time
from collections.abc import Callable

from listener.clips.layout import StoreBusyError
from listener.clips.store import ClipStore
from listener.detection.clip import ClipDraft, ClipError
from listener.health import Health
from listener.sinks.event_document import label_names
from listener.sinks.sink import BundleNotice, ClipNotice, Notice

log = logging.getLogger(__name__)


BUSY_SECONDS = 60.0  # indexing a large store takes another process so long
# The store's lock, SQLite's, and SQLite's of another thread: a sink that waits for them does not hang
_GRACE_SECONDS = 30.0


class ClipsSink:
    """Stores the pipeline's clips. What cannot be stored is lost, counted, and logged once an episode.

    While another process holds the store's lock, clips wait: the first for a minute, and then, as long as
    the lock is held, each for one attempt.
    """

    accepts = (BundleNotice, ClipNotice)

    def __init__(
        self, store: ClipStore, health: Health, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._health, self._now = store, health, now
        self._failing = False
        self._count()

    def handle(self, notice: Notice) -> None:
        """Store a clip, or use the labels of another bundle."""
        if isinstance(notice, BundleNotice):
            self._store.labels = frozenset(label_names(notice.manifest, notice.groups))
        elif isinstance(notice, ClipNotice):
            try:
                self._add(notice.draft)
                self._count()
            except ClipError as error:
                self._health.clip_errors += 1
                if not self._failing:
                    log.warning("clips: lost until further notice: %s", error)
                self._failing = True
            else:
                if self._failing:
                    log.info("clips: stored again")
                self._failing = False

    def _add(self, draft: ClipDraft) -> None:
        deadline = self._now() + (0.0 if self._failing else BUSY_SECONDS)
        while True:
            self._health.beat("sink:clips", _GRACE_SECONDS)
            try:
                self._store.add(draft)
            except StoreBusyError:
                if self._now() >= deadline:
                    raise
            else:
                return

    def close(self) -> None:
        """Nothing to flush; the store is closed by its owner."""

    def _count(self) -> None:
        totals = self._store.totals()
        self._health.clips_stored, self._health.clips_bytes = totals.clips, totals.bytes
