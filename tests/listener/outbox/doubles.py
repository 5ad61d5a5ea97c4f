"""Stores that a test opens, and a transport that records what it is given."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from listener.health import OutboxHealth
from listener.mqtt.messages import OutboundMessage
from listener.outbox.disk import Disk
from listener.outbox.row import Row
from listener.outbox.sender import OutboxSender
from listener.outbox.store import Bounds, Store
from tests.rigs.outbox_station import EVENT_TOPIC, TOPICS, event


@dataclass
class OpenStore:
    """A store with its disk and its health."""

    store: Store
    disk: Disk
    health: OutboxHealth

    def put(self, *numbers: int) -> None:
        """Event n starts at an even number 2n, and ends at the next."""
        for number in numbers:
            self.store.put(EVENT_TOPIC, event(number // 2, "end" if number % 2 else "start"))

    def waiting(self) -> list[Row]:
        """All waiting messages."""
        return self.store.first("waiting", 0, 1_000_000)

    def crash(self) -> None:
        """Write nothing more."""
        self.disk.close()


class Opener(Protocol):
    """Opens stores."""

    def __call__(self, path: Path | None, bounds: Bounds | None = None) -> OpenStore:
        """As `open_store` does."""


def open_store(path: Path | None, bounds: Bounds | None = None) -> OpenStore:
    """As the outbox opens it."""
    health = OutboxHealth()
    disk = Disk(path, health)
    store = Store(disk, bounds or Bounds(), "farm", TOPICS.gap, health, time.time)
    return OpenStore(store, disk, health)


@dataclass
class RecordingTransport:
    """Records the messages that it is given, in order."""

    messages: list[OutboundMessage] = field(default_factory=list)

    def send(self, message: OutboundMessage) -> None:
        """Record it."""
        self.messages.append(message)

    @property
    def keys(self) -> list[int]:
        """Their seqs, in order."""
        return [message.key for message in self.messages]


@dataclass
class Clock:
    """A clock that the test sets."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def make_sender(opened: OpenStore) -> tuple[OutboxSender, RecordingTransport, Clock]:
    """A sender of the store's messages, not connected yet."""
    transport, clock = RecordingTransport(), Clock()
    return OutboxSender(opened.store, transport, clock), transport, clock


def seqs(rows: list[Row]) -> list[int]:
    """The seqs of rows, in order."""
    return [row.seq for row in rows]


def documents(rows: list[Row]) -> list[dict[str, object]]:
    """The payloads of rows."""
    return [json.loads(row.payload) for row in rows]
