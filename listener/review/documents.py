"""What the page is told: values of the station as JSON has them."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np

from listener.detection.clip import ClipRecord
from listener.detection.clip_files import record_bytes
from listener.detection.event import SoundEvent
from listener.detection.features import LogMel

# Log-mel of YAMNet's front end lies between log(0.001), silence, and about 4, a full-scale tone.
_DARKEST, _BRIGHTEST = -6.9, 3.1


def clip_item(record: ClipRecord) -> dict[str, Any]:
    """A clip as its sidecar has it; `verdict` is the latest one."""
    item: dict[str, Any] = json.loads(record_bytes(record))
    return item | {"verdict": item["verdicts"][-1] if item["verdicts"] else None}


def event_item(event: SoundEvent, clip: str | None) -> dict[str, Any]:
    """An event; `offset` is None while it lasts, times are unix seconds."""
    return {
        "id": event.id,
        "source": event.source,
        "label": event.label,
        "onset": round(float(event.onset), 3),
        "offset": None if event.offset is None else round(float(event.offset), 3),
        "peak_score": round(float(event.peak_score), 3),
        "reason": event.reason,
        "clip": clip,
    }


def pixels(log_mel: LogMel) -> str:
    """Log-mel (frames, bands) as base64 of a byte each, 0 for silence, frame after frame."""
    shares = (log_mel - _DARKEST) / (_BRIGHTEST - _DARKEST)
    return base64.b64encode((np.clip(shares, 0.0, 1.0) * 255.0).astype(np.uint8)).decode()
