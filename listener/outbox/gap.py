"""One message in the place of those that were dropped, so that no hole in `seq` is unexplained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from listener.documents import iso_utc, to_json
from listener.outbox.row import Row


def merge_into_gap(rows: Sequence[Row], topic: str, station: str) -> Row:
    """The message that stands for these, gaps among them included; its seq is the last of theirs."""
    spans = [_span_of(row) for row in rows]
    document = {
        "schema": 1,
        "station": station,
        "seq": rows[-1].seq,
        "from_seq": spans[0]["from_seq"],
        "to_seq": spans[-1]["to_seq"],
        "count": sum(span["count"] for span in spans),
        "from": spans[0]["from"] or spans[0]["to"],
        "to": spans[-1]["to"],
        "reason": "outbox_full",
    }
    payload = to_json(document).encode()
    return Row(rows[-1].seq, topic, payload, rows[0].made_at, is_gap=True)


def lost_gap(seq: int, topic: str, station: str, at: float) -> Row:
    """What is said after a corrupt file: nobody knows which messages were in it; `at` unix seconds."""
    document = {
        "schema": 1,
        "station": station,
        "seq": seq,
        "from_seq": None,
        "to_seq": seq - 1,
        "count": None,
        "from": None,
        "to": iso_utc(at),
        "reason": "outbox_corrupt",
    }
    return Row(seq, topic, to_json(document).encode(), at, is_gap=True)


def _span_of(row: Row) -> dict[str, Any]:
    if row.is_gap:
        span: dict[str, Any] = json.loads(row.payload)
        return span | {"count": span["count"] or 0}
    made_at = iso_utc(row.made_at)
    return {"from_seq": row.seq, "to_seq": row.seq, "count": 1, "from": made_at, "to": made_at}
