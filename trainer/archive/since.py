"""How far back to look: `7d`, `12h`, `30m`, or a date."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"(\d+(?:\.\d+)?)([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def parse_since(text: str, now: datetime) -> float:
    """Unix seconds; a date without a zone is UTC.

    Raises:
        ValueError: neither a time span nor a date.
    """
    match = _AGO.fullmatch(text.strip())
    if match:
        return (now - float(match[1]) * _UNITS[match[2]]).timestamp()
    try:
        date = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"expected 7d, 12h, 30m or a date such as 2026-11-20, got {text!r}"
        ) from error
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
