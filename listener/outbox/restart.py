"""The end of an event that was open when the station died."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from listener.documents import iso_utc
from listener.outbox.row import OpenEvent

REASON = "restart"


def end_of(event: OpenEvent, analysed_until: float | None) -> dict[str, Any]:
    """The document of its end, without `seq`: as the start's, with the last known moment as offset.

    `analysed_until` is unix seconds; None: nothing is known after the start, and the duration is 0.
    """
    document: dict[str, Any] = json.loads(event.payload)
    document.pop("seq")
    onset = datetime.fromisoformat(document["onset"]).timestamp()
    offset = onset if analysed_until is None else max(onset, analysed_until)
    return document | {
        "phase": "end",
        "offset": iso_utc(offset),
        "duration_seconds": round(offset - onset, 3),
        "reason": REASON,
    }
