"""How the station is, in a few numbers for its device in Home Assistant."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from listener.documents import to_json
from listener.health import Health
from listener.mqtt.broker import Publisher

INTERVAL_SECONDS = 10.0


class Diagnostics:
    """Publishes the numbers, retained, when they have changed, and not too often."""

    def __init__(
        self,
        publisher: Publisher,
        topic: str,
        health: Health,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher, self._topic, self._health, self._now = publisher, topic, health, now
        self._said: dict[str, Any] | None = None
        self._said_at = 0.0

    def look(self) -> None:
        """Publish them, if it is time; a few times a second."""
        now = self._now()
        if self._said is not None and now - self._said_at < INTERVAL_SECONDS:
            return
        document = diagnostics_document(self._health)
        if document != self._said:
            self._publisher.publish(self._topic, to_json(document).encode(), retain=True)
            self._said, self._said_at = document, now


def diagnostics_document(health: Health) -> dict[str, int]:
    """Patches that were dropped since the start, and messages that wait for the broker."""
    return {
        "dropped_patches": sum(source.dropped for source in health.sources.copy().values()),
        "waiting_messages": 0 if health.outbox is None else health.outbox.events,
    }
