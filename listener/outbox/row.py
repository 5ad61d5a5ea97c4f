"""What the outbox keeps of a message."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Literal

MAX_TOPIC_BYTES = 65_535  # MQTT's strings
_HEAD_BYTES = (
    16  # of a PUBLISH, beside topic and payload: at most 12, and properties that we do not use
)


State = Literal["waiting", "again", "done", "dead", "quarantined"]
"""`again`: done once, and asked for by `replay`. `dead`: the broker will not have it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A message; `made_at` is unix seconds, `tries` how many connections it is suspected to have broken.

    `is_gap`: it stands for messages that were dropped.
    """

    seq: int
    topic: str
    payload: bytes
    made_at: float
    is_gap: bool = False
    state: State = "waiting"
    tries: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class OpenEvent:
    """An event whose start was put into the outbox and whose end was not: the start's topic and JSON."""

    id: str
    source: str
    topic: str
    payload: bytes


# What is to be written at the next commit; it stays here while the disk cannot take it.


@dataclass(slots=True)
class Changes:
    """Everything since the last commit, the newest value of each; owned by one thread."""

    rows: dict[int, Row] = field(
        default_factory=dict
    )  # by seq; new ones, and what became of others
    removed: set[int] = field(default_factory=set)
    opened: dict[str, OpenEvent] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    analysed: dict[str, float] = field(default_factory=dict)  # until when, by source

    @property
    def any(self) -> bool:
        """Whether there is something to write."""
        return bool(self.rows or self.removed or self.opened or self.closed or self.analysed)

    def put(self, row: Row) -> None:
        """Add a message, or what became of it."""
        self.rows[row.seq] = row

    def remove(self, seq: int) -> None:
        """Forget a message."""
        self.rows.pop(seq, None)
        self.removed.add(seq)

    def open(self, event: OpenEvent) -> None:
        """An event began."""
        self.opened[event.id] = event
        self.closed.discard(event.id)  # a file played again has the same events

    def close(self, event_id: str) -> None:
        """An event ended."""
        self.opened.pop(event_id, None)
        self.closed.add(event_id)

    def clear(self) -> None:
        """All of it is on disk."""
        for part in (self.rows, self.removed, self.opened, self.closed, self.analysed):
            part.clear()


# What no broker takes, known before it is tried: it would break the connection again and again.


MAX_PAYLOAD_BYTES = 268_435_455 - MAX_TOPIC_BYTES - 64  # MQTT's longest packet, less its head


def why_unsendable(row: Row, max_packet_bytes: int | None) -> str | None:
    """The reason, or None; `max_packet_bytes` is what the broker announced."""
    return _topic_fault(row.topic) or _size_fault(row, max_packet_bytes)


def _topic_fault(topic: str) -> str | None:
    if not topic:
        return "topic: empty"
    if set(topic) & set("+#"):
        return "topic: has a wildcard"
    # Cc control characters, Cs surrogates; brokers close the connection on them (MQTT 5, 1.5.4)
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in topic):
        return "topic: has a control character"
    if len(topic.encode()) > MAX_TOPIC_BYTES:
        return f"topic: longer than {MAX_TOPIC_BYTES} bytes"
    return None


def _size_fault(row: Row, max_packet_bytes: int | None) -> str | None:
    if len(row.payload) > MAX_PAYLOAD_BYTES:
        return f"payload: longer than {MAX_PAYLOAD_BYTES} bytes"
    size = _HEAD_BYTES + len(row.topic.encode()) + len(row.payload)
    if max_packet_bytes is not None and size > max_packet_bytes:
        return f"packet: {size} bytes, the broker takes {max_packet_bytes}"
    return None
