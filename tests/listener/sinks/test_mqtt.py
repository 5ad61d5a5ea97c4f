"""Topics and payloads of the MQTT sink."""

import json
import time
from dataclasses import replace
from typing import Any

from listener.detection.bundle import Label
from listener.detection.policy import LabelPolicy
from listener.health import Health
from listener.mqtt.topics import Topics
from listener.sinks.event_document import event_document
from listener.sinks.mqtt import MqttSink, bundle_document, level_document
from listener.sinks.sink import BundleNotice, ClockNotice, Level, SourceStatus
from tests.listener.sinks.notices import (
    Published,
    RecordingPublisher,
    end_of,
    manifest,
    notice,
    start_of,
)

LABELS = ("smoke_alarm", "doorbell")


def make_sink(**options: Any) -> tuple[MqttSink, RecordingPublisher, Health]:
    publisher, health = RecordingPublisher(), Health(LABELS, "home-alarms@3")
    options = {"sources": ["hall"], "labels": LABELS} | options
    return (
        MqttSink(publisher, publisher, Topics("earshot", "farm"), health, manifest(), **options),
        publisher,
        health,
    )


def level(at: float, dbfs: float = -43.21, source: str = "hall") -> Level:
    return Level(source, dbfs, -20.1, at)


def test_bundle_and_offline_sources_are_retained_from_the_beginning() -> None:
    _, publisher, _ = make_sink(sources=["hall", "barn"])
    bundle, hall, barn = publisher.published
    assert (bundle.topic, bundle.qos, bundle.retain) == ("earshot/farm/bundle", 1, True)
    assert hall == Published("earshot/farm/hall/status", "offline", 1, True)
    assert barn == Published("earshot/farm/barn/status", "offline", 1, True)


def test_the_bundle_names_its_labels_and_when_it_was_loaded() -> None:
    assert bundle_document(manifest(), 0.0) == {
        "name": "home-alarms",
        "version": 3,
        "labels": ["smoke_alarm", "doorbell"],
        "loaded_at": "1970-01-01T00:00:00.000Z",
    }


def test_an_event_is_its_document_for_the_outbox_and_not_retained() -> None:
    sink, publisher, _ = make_sink()
    sink.handle(notice(end_of()))
    (message,) = publisher.on("earshot/farm/hall/event")
    document = json.loads(message.payload)
    assert document == event_document(end_of(), "farm", "Smoke alarm", None)
    assert (message.qos, message.retain) == (1, False)


def test_the_outbox_learns_until_when_a_source_is_analysed() -> None:
    sink, publisher, _ = make_sink(level_interval_seconds=1.0)
    for at in (10.0, 10.5):
        sink.handle(level(at))
    assert publisher.analysed == {"hall": 10.5}  # of each patch, though not each level is published


def test_the_state_of_a_label_follows_its_events() -> None:
    sink, publisher, _ = make_sink()
    sink.handle(notice(start_of()))
    sink.handle(notice(end_of()))
    topic = "earshot/farm/hall/state/smoke_alarm"
    assert publisher.on(topic) == [
        Published(topic, "ON", 1, True),
        Published(topic, "OFF", 1, True),
    ]


def test_states_are_off_when_a_source_comes_online_for_the_first_time_only() -> None:
    sink, publisher, _ = make_sink()
    for status in ("online", "offline", "online"):
        sink.handle(SourceStatus("hall", status, 0.0))
    for label in LABELS:
        topic = f"earshot/farm/hall/state/{label}"
        assert publisher.on(topic) == [Published(topic, "OFF", 1, True)]
    statuses = publisher.on("earshot/farm/hall/status")
    assert [message.payload for message in statuses] == ["offline", "online", "offline", "online"]
    assert all(message.retain for message in statuses)


def test_every_status_of_a_source_is_published_and_its_states_are_off_from_the_first_patch() -> (
    None
):
    sink, publisher, _ = make_sink()
    for status in ("silent", "online", "clipping", "offline"):
        sink.handle(SourceStatus("hall", status, 0.0))
    assert len(publisher.on("earshot/farm/hall/state/doorbell")) == 1
    statuses = publisher.on("earshot/farm/hall/status")
    assert [message.payload for message in statuses][1:] == [
        "silent",
        "online",
        "clipping",
        "offline",
    ]
    assert all(message.retain for message in statuses)


def test_the_bandwidth_of_a_source_is_retained_at_its_first_status_and_when_it_changes() -> None:
    sink, publisher, _ = make_sink()
    for at, bandwidth_hz in enumerate((None, 4_000.0, 4_000.0, None)):
        sink.handle(SourceStatus("hall", "online", float(at), bandwidth_hz=bandwidth_hz))
    found = publisher.on("earshot/farm/hall/bandwidth")
    assert [json.loads(message.payload) for message in found] == [
        {"bandwidth_hz": None, "at": "1970-01-01T00:00:00.000Z"},
        {"bandwidth_hz": 4_000.0, "at": "1970-01-01T00:00:01.000Z"},
        {"bandwidth_hz": None, "at": "1970-01-01T00:00:03.000Z"},
    ]
    assert all((message.qos, message.retain) == (1, True) for message in found)


def test_a_step_of_the_clock_is_published_and_not_retained() -> None:
    sink, publisher, _ = make_sink()
    sink.handle(ClockNotice(-7200.0004, 60.0))
    (message,) = publisher.on("earshot/farm/clock")
    assert json.loads(message.payload) == {
        "step_seconds": -7200.0,
        "at": "1970-01-01T00:01:00.000Z",
    }
    assert (message.qos, message.retain) == (1, False)


def test_only_configured_labels_have_states() -> None:
    sink, publisher, _ = make_sink(labels=["doorbell"])
    sink.handle(SourceStatus("hall", "online", 0.0))
    assert len(publisher.on("earshot/farm/hall/state/doorbell")) == 1
    assert publisher.on("earshot/farm/hall/state/smoke_alarm") == []


def test_levels_of_each_source_come_no_faster_than_the_interval() -> None:
    sink, publisher, _ = make_sink(sources=["hall", "barn"], level_interval_seconds=1.0)
    for at in (10.0, 10.5, 10.96, 11.0, 11.5, 12.0):
        sink.handle(level(at))
    sink.handle(level(10.5, source="barn"))
    hall = publisher.on("earshot/farm/hall/level")
    assert [json.loads(message.payload)["at"][-7:] for message in hall] == [
        "10.000Z",
        "11.000Z",
        "12.000Z",
    ]
    assert {(message.qos, message.retain) for message in hall} == {(0, False)}
    assert len(publisher.on("earshot/farm/barn/level")) == 1


def test_an_interval_of_0_gives_each_level() -> None:
    sink, publisher, _ = make_sink(level_interval_seconds=0.0)
    for at in (10.0, 10.0, 10.48):
        sink.handle(level(at))
    assert len(publisher.on("earshot/farm/hall/level")) == 3


def test_a_clock_that_was_set_back_does_not_silence_the_level() -> None:
    sink, publisher, _ = make_sink()
    for at in (7200.0, 0.0):
        sink.handle(level(at))
    assert len(publisher.on("earshot/farm/hall/level")) == 2


def test_silence_is_minus_120_dbfs() -> None:
    assert level_document(Level("hall", float("-inf"), -500.0, 0.5)) == {
        "dbfs": -120.0,
        "peak_dbfs": -120.0,
        "at": "1970-01-01T00:00:00.500Z",
    }


def test_the_time_from_capture_to_publish_is_observed_for_events() -> None:
    sink, _, health = make_sink()
    sink.handle(notice(start_of(), heard_at=time.time() - 3600.0))
    sink.handle(level(0.0))
    assert health.capture_to_publish_seconds.counts[-1] == 1  # over the last bound, 10 s
    assert sum(health.capture_to_publish_seconds.counts) == 1


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    sink, _, health = make_sink()
    sink.handle(notice(start_of(), heard_at=time.time() + 7200.0))
    assert health.capture_to_publish_seconds.sum == 0.0


def test_another_bundle_is_retained_with_its_states_and_names() -> None:
    sink, publisher, _ = make_sink()
    sink.handle(SourceStatus("hall", "online", 0.0))
    labels = (Label("siren", "Sirene"), Label("doorbell", "Bell"))
    policies = {label.slug: LabelPolicy() for label in labels}
    other = replace(manifest(), version=4, labels=labels, policies=policies)
    publisher.published.clear()
    sink.handle(BundleNotice(other, ("siren", "doorbell"), 0.0))
    root = "earshot/farm"
    assert publisher.on(f"{root}/hall/state/smoke_alarm")[-1].payload == ""
    assert publisher.on(f"{root}/hall/state/siren")[-1].payload == "OFF"
    assert (
        publisher.on(f"{root}/hall/state/doorbell") == []
    )  # its own OFF came with the event's end
    (bundle,) = publisher.on(f"{root}/bundle")
    assert json.loads(bundle.payload) == bundle_document(other, 0.0)
    assert all(message.retain for message in publisher.published)
    sink.handle(notice(start_of(label="siren")))
    (event,) = publisher.on(f"{root}/hall/event")
    assert json.loads(event.payload)["label_name"] == "Sirene"
