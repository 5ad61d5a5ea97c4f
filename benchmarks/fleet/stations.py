"""Stations that send what nobody heard: the real sink, outbox and connection; and paho alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from listener.config.outputs import MqttSettings
from listener.detection.bundle import Manifest, read_bundle
from listener.detection.event import SoundEvent
from listener.files import to_json
from listener.health import Health
from listener.mqtt.broker import Broker
from listener.mqtt.topics import Topics
from listener.outbox.outbox import Outbox
from listener.outbox.store import Bounds
from listener.sinks.event_document import event_document, label_names
from listener.sinks.mqtt import MqttSink
from listener.sinks.sink import EventNotice, Level, SourceStatus
from listener.starter import starter_bundle_path

PREFIX, SOURCE = "earshot", "hall"
LABELS = 5


class Station(Protocol):
    """Sends events."""

    def send(self, number: int) -> None:
        """Event `number // 2` starts, or ends where the number is odd; it does so now."""

    @property
    def is_connected(self) -> bool:
        """Whether the broker has accepted the connection."""

    @property
    def waiting(self) -> int:
        """Messages that the broker has not acknowledged, as far as the station knows."""

    def close(self) -> None:
        """Disconnect."""


@cache
def manifest() -> Manifest:
    """That of the starter bundle: names and sizes as a station sends them."""
    return read_bundle(starter_bundle_path()).manifest


def label_slugs(count: int = LABELS) -> tuple[str, ...]:
    """Labels that a station listens for; more than the bundle has are numbered."""
    known = [label.slug for label in manifest().labels]
    return (*known, *(f"sound_{number}" for number in range(count)))[:count]


@dataclass(frozen=True, slots=True)
class Setup:
    """What a station listens to and for."""

    sources: tuple[str, ...] = (SOURCE,)
    labels: tuple[str, ...] = label_slugs()


class EarshotStation:
    """A station without ears, connected as soon as it is made; `directory` holds its outbox."""

    def __init__(self, name: str, port: int, directory: Path, setup: Setup | None = None) -> None:
        setup, topics = setup or Setup(), Topics(PREFIX, name)
        self._name, self._labels, self._health = name, setup.labels, Health(setup.labels, "")
        self._broker = Broker(
            MqttSettings(port=port), f"{name}-12345678", topics.status, self._health
        )
        self._outbox = Outbox(
            directory / f"{name}.db", Bounds(), name, topics.gap, self._broker, self._health
        )
        self._broker.set_listener(self._outbox)
        self._sink = MqttSink(
            self._broker,
            self._outbox,
            topics,
            self._health,
            manifest(),
            sources=setup.sources,
            labels=setup.labels,
        )
        self._broker.start()
        self._outbox.start()
        for source in setup.sources:
            self._sink.handle(SourceStatus(source, "online", time.time()))

    def send(self, number: int) -> None:
        """See Station."""
        now = time.time()
        self._sink.handle(EventNotice(made_event(self._labels, number, now), now))

    def send_level(self, at: float) -> None:
        """The level of the first source, at a time in unix seconds; at most one a second goes out."""
        self._sink.handle(Level(SOURCE, -43.2, -20.1, at))

    @property
    def is_connected(self) -> bool:
        """See Station."""
        return self._broker.connected

    @property
    def waiting(self) -> int:
        """See Station."""
        return 0 if self._health.outbox is None else self._health.outbox.events

    def close(self) -> None:
        """See Station."""
        self._outbox.close()
        self._broker.close()


class BareStation:
    """The yardstick: the same messages by paho alone, which forgets them with the process."""

    def __init__(self, name: str, port: int, _directory: Path) -> None:
        self._name, self._topics, self._seq = name, Topics(PREFIX, name), 0
        self._acknowledged = 0
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.on_publish = self._on_publish
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()

    def _on_publish(self, *_: object) -> None:
        self._acknowledged += 1

    def send(self, number: int) -> None:
        """See Station: the event, and the state beside it."""
        self._seq += 1
        event = made_event(label_slugs(), number, time.time())
        name = label_names(manifest())[event.label]
        document = event_document(event, self._name, name, None) | {"seq": self._seq}
        self._client.publish(self._topics.event(SOURCE), to_json(document).encode(), 1)
        state = b"ON" if event.offset is None else b"OFF"
        self._client.publish(self._topics.state(SOURCE, event.label), state, 1, retain=True)

    @property
    def is_connected(self) -> bool:
        """See Station."""
        return bool(self._client.is_connected())

    @property
    def waiting(self) -> int:
        """See Station."""
        return 2 * self._seq - self._acknowledged

    def close(self) -> None:
        """See Station."""
        self._client.disconnect()
        self._client.loop_stop()


def made_event(labels: Sequence[str], number: int, now: float) -> SoundEvent:
    """One that starts (even numbers) or ends (odd ones) now, unix seconds."""
    ends = bool(number % 2)
    return SoundEvent(
        id=f"{number // 2:026d}",
        source=SOURCE,
        label=labels[number // 2 % len(labels)],
        onset=now - 4.8 * ends,
        offset=now if ends else None,
        peak_score=0.9712,
        mean_score=0.9134,
        level_dbfs=-18.4,
        bundle="home-alarms@3",
    )
