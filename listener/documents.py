"""How the station writes times and JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any


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
