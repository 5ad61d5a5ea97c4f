"""The JSON form of an event."""

import json

import pytest

from listener.files import iso_utc, to_json
from listener.sinks.event_document import event_document
from tests.listener.sinks.notices import end_of, start_of


def test_an_end_has_every_field_of_schema_1() -> None:
    assert event_document(end_of(), "farm", "Smoke alarm", end_of().id) == {
        "schema": 1,
        "id": "01JD9Z6T3W8Q5V1N2M4K7B0C9E",
        "phase": "end",
        "station": "farm",
        "source": "hall",
        "label": "smoke_alarm",
        "label_name": "Smoke alarm",
        "onset": "2026-11-20T03:12:07.440Z",
        "offset": "2026-11-20T03:12:31.020Z",
        "duration_seconds": 23.58,
        "peak_score": 0.97,
        "mean_score": 0.9123,
        "level_dbfs": -18.4,
        "bundle": "home-alarms@3",
        "clip": "01JD9Z6T3W8Q5V1N2M4K7B0C9E",
        "reason": "source_lost",
    }


def test_a_start_has_no_offset_and_no_duration() -> None:
    document = event_document(start_of(), "farm", "Smoke alarm", None)
    assert (document["phase"], document["offset"], document["duration_seconds"]) == (
        "start",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (86_400.5, "1970-01-02T00:00:00.500Z"),
        (0.0004, "1970-01-01T00:00:00.000Z"),
        (0.9996, "1970-01-01T00:00:01.000Z"),
        (1_795_144_327.44, "2026-11-20T03:12:07.440Z"),
    ],
)
def test_times_are_utc_to_the_nearest_millisecond(seconds: float, text: str) -> None:
    assert iso_utc(seconds) == text


def test_json_is_one_line_that_keeps_letters() -> None:
    line = to_json({"label_name": "Türklingel"})
    assert line == '{"label_name":"Türklingel"}'
    assert json.loads(line) == {"label_name": "Türklingel"}


def test_a_number_that_json_cannot_say_is_an_error() -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_json({"peak_score": float("nan")})
