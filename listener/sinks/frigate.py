"""Publishes the audio topics of Frigate, for programs that already subscribe to them.

They are `<prefix>/<camera>/audio/<type>`, and for a type `all`, `dBFS` and `rms`; none is retained
(https://docs.frigate.video/integrations/mqtt). Silence is -120 dBFS, as everywhere here; Frigate says 0.
"""

from collections import defaultdict

from listener.detection.audio import SILENCE_DBFS
from listener.mqtt.broker import Publisher
from listener.sinks.sink import EventNotice, Level, Notice

_FULL_SCALE = 32_768.0  # Frigate's rms is of 16-bit samples


class FrigateSink:
    """Mirrors events and levels of every source, each of which is a camera.

    `level_interval_seconds` is the least time between two levels of a source.
    """

    accepts = (EventNotice, Level)

    def __init__(
        self, publisher: Publisher, prefix: str, level_interval_seconds: float = 1.0
    ) -> None:
        self._publisher, self._prefix = publisher, prefix
        self._level_interval_seconds = level_interval_seconds
        self._levels_at: dict[str, float] = {}
        self._active: dict[str, set[str]] = defaultdict(set)  # labels by source

    def handle(self, notice: Notice) -> None:
        """Publish one notice; does not block."""
        match notice:
            case EventNotice(event):
                active = self._active[event.source]
                was_quiet = not active
                if event.offset is None:
                    active.add(event.label)
                    self._publish(event.source, event.label, "ON")
                else:
                    active.discard(event.label)
                    self._publish(event.source, event.label, "OFF")
                if was_quiet != (not active):
                    self._publish(event.source, "all", "ON" if active else "OFF")
            case Level(source=source, at=at):
                last = self._levels_at.get(source)
                # the distance, so that a clock that was set back does not silence the level
                if last is None or abs(at - last) >= self._level_interval_seconds:
                    self._levels_at[source] = at
                    dbfs = max(SILENCE_DBFS, float(notice.dbfs))
                    self._publish(source, "dBFS", f"{dbfs:.1f}")
                    self._publish(source, "rms", f"{_FULL_SCALE * 10 ** (dbfs / 20):.1f}")

    def close(self) -> None:
        """Nothing to flush."""

    def _publish(self, source: str, name: str, payload: str) -> None:
        self._publisher.publish(f"{self._prefix}/{source}/audio/{name}", payload.encode(), qos=0)
