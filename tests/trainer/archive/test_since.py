"""How far back: a span of time, or a date."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from trainer.archive.since import parse_since

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("7d", datetime(2026, 11, 14, 12, tzinfo=UTC)),
        ("1.5h", datetime(2026, 11, 21, 10, 30, tzinfo=UTC)),
        ("30m", datetime(2026, 11, 21, 11, 30, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T08:00:00+02:00", datetime(2026, 11, 20, 6, tzinfo=UTC)),
    ],
)
def test_a_time_is_found(text: str, then: datetime):
    assert parse_since(text, NOW) == then.timestamp()


@pytest.mark.parametrize("text", ["", "week", "7", "d", "-7d", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str):
    with pytest.raises(ValueError, match="expected 7d, 12h, 30m or a date"):
        parse_since(text, NOW)
