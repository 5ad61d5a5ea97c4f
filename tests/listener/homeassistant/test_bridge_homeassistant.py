"""What the sink keeps true for Home Assistant, against a publisher that writes down."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from listener.detection.bundle import Label
from listener.detection.policy import LabelPolicy
from listener.homeassistant.bridge import DiscoveryPlan, HomeAssistantSink
from listener.homeassistant.devices import MOST_LABELS, Announcer, CommandSupport
from listener.mqtt.topics import Topics
from listener.sinks.sink import BirthNotice, BundleNotice, EventNotice, OverridesNotice
from tests.listener.homeassistant.schema import problems
from tests.listener.sinks.notices import (
    Published,
    RecordingPublisher,
    end_of,
    manifest,
    notice,
    start_of,
)

LAST = "earshot/farm/hall/last"


LABELS = (Label("smoke_alarm", "Smoke alarm"), Label("doorbell", "Türklingel"))
STATION, HALL = "homeassistant/device/farm/config", "homeassistant/device/farm/hall/config"


def make_sink(
    folder: Path, labels: tuple[Label, ...] = LABELS
) -> tuple[HomeAssistantSink, RecordingPublisher]:
    publisher = RecordingPublisher()
    plan = DiscoveryPlan("homeassistant", ("hall",), CommandSupport(commands=True, clips=True))
    announcer = Announcer(publisher, folder / "homeassistant.json")
    sink = HomeAssistantSink(publisher, announcer, Topics("earshot", "farm"), plan, labels)
    return sink, publisher


def components(publisher: RecordingPublisher) -> dict[str, dict[str, object]]:
    document = json.loads(publisher.on(HALL)[-1].payload)
    assert problems(document) == []
    found: dict[str, dict[str, object]] = document["components"]
    return found


def test_the_station_is_announced_before_its_sources(tmp_path: Path):
    _, publisher = make_sink(tmp_path)
    assert [message.topic for message in publisher.published] == [STATION, HALL]
    assert all(message.retain for message in publisher.published)
    assert components(publisher)["state_doorbell"]["name"] == "Türklingel"


def test_another_bundle_brings_and_takes_components(tmp_path: Path):
    sink, publisher = make_sink(tmp_path)
    labels = (Label("siren", "Sirene"), Label("doorbell", "Bell"))
    policies = {label.slug: LabelPolicy() for label in labels}
    other = replace(manifest(), labels=labels, policies=policies)
    sink.handle(BundleNotice(other, ("siren", "doorbell"), 0.0))
    found = components(publisher)
    assert found["state_smoke_alarm"] == {"platform": "binary_sensor"}
    assert (found["state_siren"]["name"], found["state_doorbell"]["name"]) == ("Sirene", "Bell")
    assert publisher.on("earshot/farm/hall/state/smoke_alarm")[-1].payload == ""


def test_a_group_is_called_by_its_name(tmp_path: Path):
    sink, publisher = make_sink(tmp_path)
    sink.handle(BundleNotice(manifest(), ("alarms",), 0.0, (Label("alarms", "Any alarm"),)))
    assert components(publisher)["state_alarms"]["name"] == "Any alarm"


def test_after_a_greeting_all_is_said_once_more(tmp_path: Path):
    sink, publisher = make_sink(tmp_path)
    first = list(publisher.published)
    sink.handle(BirthNotice())
    assert publisher.published == [*first, *first]


def test_too_many_labels_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    labels = tuple(Label(f"l{number}", "x") for number in range(MOST_LABELS + 1))
    make_sink(tmp_path, labels)
    assert "expected at most 100 labels, got 101" in caplog.text


def test_the_last_event_is_retained_at_its_start_and_its_end(tmp_path: Path):
    sink, publisher = make_sink(tmp_path)
    sink.handle(EventNotice(start_of(), 0.0, "01JD9Z6T3W8Q5V1N2M4K7B0C9E"))
    sink.handle(notice(end_of()))
    start, end = publisher.on(LAST)
    assert (start.retain, start.qos) == (True, 1)
    assert json.loads(start.payload)["clip"] == "01JD9Z6T3W8Q5V1N2M4K7B0C9E"
    assert [json.loads(m.payload)["phase"] for m in (start, end)] == ["start", "end"]
    assert json.loads(end.payload)["label_name"] == "Smoke alarm"


def test_the_end_of_one_before_does_not_hide_the_last(tmp_path: Path):
    sink, publisher = make_sink(tmp_path)
    later = replace(start_of(label="doorbell"), id="01JD9Z6T3W8Q5V1N2M4K7B0C9F")
    for event in (start_of(), later, end_of()):
        sink.handle(notice(event))
    said = [json.loads(message.payload)["label"] for message in publisher.on(LAST)]
    assert said == ["smoke_alarm", "doorbell"]


def test_rules_are_retained_when_they_change_and_gone_with_their_label(tmp_path: Path):
    sink, publisher = make_sink(tmp_path)
    root = "earshot/farm/hall"
    publisher.published.clear()
    sink.handle(OverridesNotice({"hall": {"smoke_alarm": 0.5, "doorbell": 0.625}}, frozenset()))
    assert publisher.published == [
        Published(f"{root}/threshold/smoke_alarm", "0.5", 1, True),
        Published(f"{root}/threshold/doorbell", "0.625", 1, True),
        Published(f"{root}/muted", "OFF", 1, True),
    ]
    publisher.published.clear()
    sink.handle(OverridesNotice({"hall": {"doorbell": 0.625}}, frozenset({"hall"})))
    assert publisher.published == [
        Published(f"{root}/threshold/smoke_alarm", "", 1, True),
        Published(f"{root}/muted", "ON", 1, True),
    ]
