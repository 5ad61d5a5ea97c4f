"""Another machine that speaks as the same station: both would write the same retained topics."""

from __future__ import annotations

import logging
import time

from listener.health import Health
from listener.mqtt.incoming import Incoming
from listener.mqtt.session import OFFLINE, ONLINE

log = logging.getLogger(__name__)

_EPISODE_SECONDS = 60.0  # without a sign of it, the next sign is news again


class RivalWatch:
    """Looks at what others publish as the station's `status`; on the thread of the connection.

    Its `online` is reported once an episode. `answer`: say `online` again, so that a rival hears of us,
    too, or because an `offline`, perhaps the will of an older machine, has taken its place.
    """

    def __init__(self, status_topic: str, health: Health) -> None:
        self._status_topic, self._health = status_topic, health
        self._seen_at: float | None = None
        self.answer = False

    def take(self, message: Incoming) -> None:
        """A status that was not published by this connection."""
        if message.payload == OFFLINE:
            self.answer = True
        elif message.payload == ONLINE:
            self._report()

    def _report(self) -> None:
        now = time.monotonic()
        is_news = self._seen_at is None or now - self._seen_at > _EPISODE_SECONDS
        self._seen_at = now
        if is_news:
            self._health.mqtt_rivals += 1
            self.answer = True
            log.error(
                "mqtt: another machine publishes %s: each station needs a name of its own",
                self._status_topic,
            )
