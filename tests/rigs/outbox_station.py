"""What sends a station's events: the real outbox and connection, without the hearing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from listener.config.outputs import MqttSettings
from listener.files import iso_utc
from listener.health import Health, OutboxHealth
from listener.mqtt.broker import Broker
from listener.mqtt.topics import Topics
from listener.outbox.outbox import Outbox
from listener.outbox.store import Bounds

TOPICS = Topics("earshot", "farm")
EVENT_TOPIC = TOPICS.event("hall")
ONSET = 1_795_144_327.44


def event(number: int, phase: str = "start", source: str = "hall") -> dict[str, Any]:
    """The document of event `number`, which began as many seconds after ONSET."""
    ended = phase == "end"
    return {
        "id": f"{number:026d}",
        "phase": phase,
        "source": source,
        "onset": iso_utc(ONSET + number),
        "offset": iso_utc(ONSET + number + 1.0) if ended else None,
        "duration_seconds": 1.0 if ended else None,
        "reason": None,
    }


@dataclass(frozen=True, slots=True)
class OutboxStation:
    """The parts, at work."""

    broker: Broker
    outbox: Outbox
    health: Health

    @property
    def numbers(self) -> OutboxHealth:
        """What is known of the outbox."""
        assert self.health.outbox is not None
        return self.health.outbox

    def put(self, *numbers: int) -> None:
        """A message for each: event n starts at an even number 2n, and ends at the next."""
        for number in numbers:
            self.outbox.put(EVENT_TOPIC, event(number // 2, "end" if number % 2 else "start"))


def make_station(
    port: int,
    path: Path | None,
    bounds: Bounds | None = None,
    client_id: str = "farm-1",
    account: Mapping[str, Any] | None = None,
) -> OutboxStation:
    """Not started yet; `account`: more settings of [mqtt]."""
    health = Health((), "home-alarms@3")
    settings = MqttSettings(port=port, **account or {})
    broker = Broker(settings, client_id, TOPICS.status, health)
    outbox = Outbox(path, bounds or Bounds(), "farm", TOPICS.gap, broker, health)
    broker.set_listener(outbox)
    return OutboxStation(broker, outbox, health)


@contextmanager
def outbox_station(
    port: int,
    path: Path | None,
    bounds: Bounds | None = None,
    client_id: str = "farm-1",
    account: Mapping[str, Any] | None = None,
) -> Iterator[OutboxStation]:
    """At work until the end."""
    station = make_station(port, path, bounds, client_id, account)
    station.broker.start()
    station.outbox.start()
    try:
        yield station
    finally:
        station.outbox.close()
        station.broker.close()
