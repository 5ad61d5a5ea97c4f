"""A store, and a broker of a few lines that takes parcels and keeps the order in which they came."""

from __future__ import annotations

import json
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
    """A store, its disk and its numbers."""

    store: Store
    disk: Disk
    health: OutboxHealth

    def put(self, *numbers: int) -> None:
        """Event n starts at an even number 2n, and ends at the next."""
        for number in numbers:
            self.store.put(EVENT_TOPIC, event(number // 2, "end" if number % 2 else "start"))

    def waiting(self) -> list[Row]:
        """All that wait."""
        return self.store.first("waiting", 0, 1_000_000)

    def crash(self) -> None:
        """Nothing more is written."""
        self.disk.close()


class Opener(Protocol):
    """Opens stores."""

    def __call__(self, path: Path | None, bounds: Bounds | None = None) -> OpenStore:
        """As `open_store` does."""


def open_store(path: Path | None, bounds: Bounds | None = None) -> OpenStore:
    """As the outbox opens it."""
    health = OutboxHealth()
    disk = Disk(path, health)
    return OpenStore(Store(disk, bounds or Bounds(), "farm", TOPICS.gap, health), disk, health)


@dataclass
class NotebookCarrier:
    """What was handed over, in order."""

    parcels: list[OutboundMessage] = field(default_factory=list)

    def send(self, message: OutboundMessage) -> None:
        """Write it down."""
        self.parcels.append(message)

    @property
    def keys(self) -> list[int]:
        """The seqs, in order."""
        return [parcel.key for parcel in self.parcels]


@dataclass
class Clock:
    """A clock that a test turns."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def make_sender(opened: OpenStore) -> tuple[OutboxSender, NotebookCarrier, Clock]:
    """A sender of the store's messages, not connected."""
    carrier, clock = NotebookCarrier(), Clock()
    return OutboxSender(opened.store, carrier, clock), carrier, clock


def seqs(rows: list[Row]) -> list[int]:
    """Of rows, in order."""
    return [row.seq for row in rows]


def documents(rows: list[Row]) -> list[dict[str, object]]:
    """What their payloads say."""
    return [json.loads(row.payload) for row in rows]
