"""Stores clips."""

import logging

from listener.clips.store import ClipStore
from listener.detection.clip import ClipError
from listener.health import Health
from listener.sinks.event_document import label_names
from listener.sinks.sink import BundleNotice, ClipNotice, Notice

log = logging.getLogger(__name__)


class ClipsSink:
    """Stores the pipeline's clips. What cannot be stored is lost, counted, and logged once an episode."""

    accepts = (BundleNotice, ClipNotice)

    def __init__(self, store: ClipStore, health: Health) -> None:
        self._store, self._health = store, health
        self._failing = False
        self._count()

    def handle(self, notice: Notice) -> None:
        """Store a clip, or use the labels of another bundle."""
        if isinstance(notice, BundleNotice):
            self._store.labels = frozenset(label_names(notice.manifest, notice.groups))
        elif isinstance(notice, ClipNotice):
            try:
                self._store.add(notice.draft)
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

    def close(self) -> None:
        """Nothing to flush; the store is closed by its owner."""

    def _count(self) -> None:
        totals = self._store.totals()
        self._health.clips_stored, self._health.clips_bytes = totals.clips, totals.bytes
