"""The JSON form of an event."""

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
