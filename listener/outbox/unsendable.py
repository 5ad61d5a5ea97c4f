"""What no broker takes, known before it is tried: it would break the connection again and again."""

from __future__ import annotations

import unicodedata

from listener.outbox.row import Row

MAX_TOPIC_BYTES = 65_535  # MQTT's strings
MAX_PAYLOAD_BYTES = 268_435_455 - MAX_TOPIC_BYTES - 64  # MQTT's longest packet, less its head
_HEAD_BYTES = (
    16  # of a PUBLISH, beside topic and payload: at most 12, and properties that we do not use
)


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
