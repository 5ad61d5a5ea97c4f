"""The JSON form of an event, schema 1, as MQTT and the console give it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from listener.detection.bundle import Manifest
from listener.detection.event import SoundEvent

SCHEMA = 1


def event_document(
    event: SoundEvent, station: str, label_name: str, clip: str | None
) -> dict[str, Any]:
    """An event that began (`offset` and `duration_seconds` are None) or ended; `clip`: its clip's id.

    Times are ISO 8601 in UTC with milliseconds, scores have four places.
    """
    seconds = event.seconds
    return {
        "schema": SCHEMA,
        "id": event.id,
        "phase": phase(event),
        "station": station,
        "source": event.source,
        "label": event.label,
        "label_name": label_name,
        "onset": iso_utc(event.onset),
        "offset": None if event.offset is None else iso_utc(event.offset),
        "duration_seconds": None if seconds is None else round(float(seconds), 3),
        "peak_score": round(float(event.peak_score), 4),
        "mean_score": round(float(event.mean_score), 4),
        "level_dbfs": round(float(event.level_dbfs), 1),
        "bundle": event.bundle,
        "clip": clip,
        "reason": event.reason,
    }


def phase(event: SoundEvent) -> str:
    """`start` while the event lasts, `end` after it."""
    return "start" if event.offset is None else "end"


def label_names(manifest: Manifest) -> dict[str, str]:
    """The name for people of each label's slug."""
    return {label.slug: label.name for label in manifest.labels}


def iso_utc(unix_seconds: float) -> str:
    """ISO 8601 in UTC to the nearest millisecond: `2026-11-20T03:12:07.440Z`."""
    # isoformat cuts digits off, so round before
    moment = datetime.fromtimestamp(round(float(unix_seconds), 3), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_json(document: dict[str, Any]) -> str:
    """One line of JSON, names in their own letters.

    Raises:
        ValueError: a number that is not finite, which JSON cannot say.
    """
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
