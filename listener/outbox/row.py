"""A message as the outbox keeps it, and what has to be written about it."""

import unicodedata
from dataclasses import dataclass, field
from typing import Literal

MAX_TOPIC_BYTES = 65_535  # MQTT's strings
MAX_PAYLOAD_BYTES = 268_435_455 - MAX_TOPIC_BYTES - 64  # MQTT's longest packet, less its head
# Of a PUBLISH, beside topic and payload: at most 12, and properties that are not used here
_HEAD_BYTES = 16

State = Literal["waiting", "again", "done", "dead", "quarantined"]
"""`again`: done once, and to be replayed. `dead`: the broker refuses it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A message; `made_at` is unix seconds, `tries` how many connections it is suspected of breaking.

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
    """An event whose start is in the outbox and whose end is not: the topic and JSON of its start."""

    id: str
    source: str
    topic: str
    payload: bytes


@dataclass(slots=True)
class Changes:
    """Everything since the last commit, the newest value of each; kept while the disk cannot take it."""

    rows: dict[int, Row] = field(
        default_factory=dict
    )  # by seq; new messages, and new states of others
    removed: set[int] = field(default_factory=set)
    opened: dict[str, OpenEvent] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    analysed: dict[str, float] = field(default_factory=dict)  # until when, by source

    @property
    def any(self) -> bool:
        """Whether there is something to write."""
        return bool(self.rows or self.removed or self.opened or self.closed or self.analysed)

    def put(self, row: Row) -> None:
        """Add a message or its new state."""
        self.rows[row.seq] = row

    def remove(self, seq: int) -> None:
        """Delete a message."""
        self.rows.pop(seq, None)
        self.removed.add(seq)

    def open(self, event: OpenEvent) -> None:
        """An event started."""
        self.opened[event.id] = event
        self.closed.discard(event.id)  # a file that is played again has the same events

    def close(self, event_id: str) -> None:
        """An event ended."""
        self.opened.pop(event_id, None)
        self.closed.add(event_id)

    def clear(self) -> None:
        """Everything is on disk."""
        for part in (self.rows, self.removed, self.opened, self.closed, self.analysed):
            part.clear()


def why_unsendable(row: Row, max_packet_bytes: int | None) -> str | None:
    """Why no broker takes the message, which would break every connection; None if there is no reason.

    `max_packet_bytes` is what the broker announced.
    """
    fault = _topic_fault(row.topic)
    if fault is not None:
        return fault
    if len(row.payload) > MAX_PAYLOAD_BYTES:
        return f"payload: longer than {MAX_PAYLOAD_BYTES} bytes"
    size = _HEAD_BYTES + len(row.topic.encode()) + len(row.payload)
    if max_packet_bytes is not None and size > max_packet_bytes:
        return f"packet: {size} bytes, the broker takes {max_packet_bytes}"
    return None


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
