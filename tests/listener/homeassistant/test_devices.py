"""Discovery documents, against a schema written from Home Assistant's documentation."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from listener.control.commands import Flag, Mute, SetThreshold, parse_command
from listener.detection.bundle import Label
from listener.homeassistant.devices import (
    MOST_GONE_COMPONENTS,
    MOST_GONE_TOPICS,
    MOST_LABELS,
    Announced,
    Announcer,
    CommandSupport,
    read_announced,
    source_device,
    station_device,
    write_announced,
)
from listener.mqtt.topics import Topics
from listener.sinks.event_document import event_document
from tests.listener.homeassistant.schema import problems
from tests.listener.homeassistant.templates import render_command, render_value
from tests.listener.sinks.notices import RecordingPublisher, end_of, start_of
from tests.shared import ROOT

CLIP = "01JD9Z6T3W8Q5V1N2M4K7B0C9E"


TOPICS = Topics("earshot", "farm")
LABELS = (Label("smoke_alarm", "Smoke alarm"), Label("dog", "Hund & Katze"))
EVERYTHING = CommandSupport(commands=True, clips=True)


def hall(offer: CommandSupport = EVERYTHING, labels: tuple[Label, ...] = LABELS) -> dict[str, Any]:
    return source_device(TOPICS, "hall", labels, offer)


def parts(offer: CommandSupport = EVERYTHING) -> dict[str, Any]:
    components: dict[str, Any] = hall(offer)["components"]
    return components


@pytest.mark.parametrize(
    "offer",
    [
        EVERYTHING,
        CommandSupport(True, False),
        CommandSupport(False, True),
        CommandSupport(False, False),
    ],
)
def test_a_sources_document_is_what_home_assistant_takes(offer: CommandSupport):
    assert problems(hall(offer)) == []


def test_so_is_the_stations():
    assert problems(station_device(TOPICS)) == []


def test_the_schema_finds_what_is_wrong():
    """The control."""
    broken = hall()
    broken["components"]["event"].pop("event_types")
    broken["components"]["mute"]["command_tropic"] = "x"
    broken["components"]["state_dog"]["device_class"] = "dog"
    broken["components"]["last"]["unique_id"] = broken["components"]["level"]["unique_id"]
    broken["components"]["wrong"]["command_template"] = "{{ open"
    assert len(problems(broken)) == 5
    assert problems({"device": {}}) != []


def test_a_source_hangs_on_its_station():
    device = hall()["device"]
    assert device["identifiers"] == ["earshot.farm.hall"]
    assert device["via_device"] == station_device(TOPICS)["device"]["identifiers"][0]
    assert (device["name"], device["manufacturer"]) == ("Hall", "Earshot")


def test_each_label_has_a_binary_sensor_and_a_threshold():
    smoke, threshold = parts()["state_smoke_alarm"], parts()["threshold_dog"]
    assert (smoke["name"], smoke["device_class"]) == ("Smoke alarm", "smoke")
    assert smoke["state_topic"] == "earshot/farm/hall/state/smoke_alarm"
    assert smoke["unique_id"] == "earshot.farm.hall.state_smoke_alarm"
    assert threshold["state_topic"] == "earshot/farm/hall/threshold/dog"


def test_without_commands_there_is_nothing_to_press():
    kinds = {component["platform"] for component in parts(CommandSupport(False, True)).values()}
    assert kinds == {"binary_sensor", "event", "sensor"}
    assert "wrong" not in parts(CommandSupport(commands=True, clips=False))


def test_of_too_many_labels_the_first_become_entities_and_all_are_event_types():
    labels = tuple(Label(f"l{number}", "x") for number in range(MOST_LABELS + 21))
    components = hall(labels=labels)["components"]
    assert sum(name.startswith("state_") for name in components) == MOST_LABELS
    assert len(components["event"]["event_types"]) == MOST_LABELS + 21


def test_the_largest_document_passes_the_broker_that_ships():
    labels = tuple(Label(f"{number:064d}", "x" * 64) for number in range(MOST_LABELS))
    document = source_device(Topics("earshot", "s" * 64), "h" * 64, labels, EVERYTHING)
    shipped = (ROOT / "mosquitto" / "earshot.conf").read_text()
    (limit,) = re.findall(r"^max_packet_size (\d+)$", shipped, re.MULTILINE)
    gone = MOST_GONE_COMPONENTS * len('"threshold_": {"platform": "number"}, ' + "x" * 64)
    assert len(json.dumps(document)) + gone < int(limit)


# --- availability ---------------------------------------------------------------------------------------


def availability(document: dict[str, Any]) -> dict[str, str | None]:
    assert document["availability_mode"] == "all"
    return {one["topic"]: one.get("value_template") for one in document["availability"]}


@pytest.mark.parametrize(
    ("status", "wanted"),
    [("online", "online"), ("silent", "online"), ("clipping", "online"), ("offline", "offline")],
)
def test_a_source_is_available_while_it_and_its_station_are(status: str, wanted: str):
    both = availability(hall())
    assert set(both) == {"earshot/farm/status", "earshot/farm/hall/status"}
    assert both["earshot/farm/status"] is None
    assert render_value(str(both["earshot/farm/hall/status"]), status) == wanted


def test_settings_are_there_while_the_source_is_away():
    for name in ("mute", "threshold_dog"):
        assert set(availability(parts()[name])) == {"earshot/farm/status"}


def test_the_station_says_that_it_is_gone_and_its_numbers_are_not_there():
    components = station_device(TOPICS)["components"]
    assert "availability" not in station_device(TOPICS) | components["connected"]
    assert components["connected"]["payload_off"] == "offline"
    assert components["backlog"]["availability"] == [{"topic": "earshot/farm/status"}]


@pytest.mark.parametrize(
    ("clip", "phase", "wanted"),
    [(CLIP, "end", "online"), (CLIP, "start", "offline"), (None, "end", "offline")],
)
def test_there_is_something_to_judge_once_an_event_with_a_clip_is_over(
    clip: str | None, phase: str, wanted: str
):
    template = availability(parts()["wrong"])["earshot/farm/hall/last"]
    assert render_value(str(template), json.dumps({"clip": clip, "phase": phase})) == wanted


# --- what is shown --------------------------------------------------------------------------------------


def test_the_start_of_an_event_is_one_of_its_types_with_attributes():
    component = parts()["event"]
    document = event_document(start_of(), "farm", "Smoke alarm", CLIP)
    event = json.loads(render_value(component["value_template"], json.dumps(document)))
    assert event.pop("event_type") in component["event_types"]
    assert event == {
        "label_name": "Smoke alarm",
        "id": document["id"],
        "onset": "2026-11-20T03:12:07.440Z",
        "level_dbfs": -18.4,
        "clip": CLIP,
        "verdict_topic": "earshot/farm/command/flag",
    }


def test_its_end_is_none():
    document = event_document(end_of(), "farm", "Smoke alarm", None)
    assert render_value(parts()["event"]["value_template"], json.dumps(document)) == ""


def test_names_with_marks_survive():
    document = event_document(start_of(label="dog"), "farm", '"Hund" & <Katze>', None)
    rendered = render_value(parts()["event"]["value_template"], json.dumps(document))
    assert json.loads(rendered)["label_name"] == '"Hund" & <Katze>'


def test_the_level_and_the_last_event_are_shown():
    assert render_value(parts()["level"]["value_template"], '{"dbfs": -43.2}') == "-43.2"
    assert parts()["level"]["unit_of_measurement"] == "dBFS"
    document = json.dumps(event_document(end_of(), "farm", "Smoke alarm", None))
    assert render_value(parts()["last"]["value_template"], document) == "Smoke alarm"


def test_the_stations_numbers_are_shown():
    components = station_device(TOPICS)["components"]
    bundle = '{"name": "home-alarms", "version": 3}'
    assert render_value(components["bundle"]["value_template"], bundle) == "home-alarms@3"
    numbers = '{"dropped_patches": 7, "waiting_messages": 2}'
    assert render_value(components["dropped_patches"]["value_template"], numbers) == "7"
    assert render_value(components["backlog"]["value_template"], numbers) == "2"


# --- what is sent ---------------------------------------------------------------------------------------


def sent(component: dict[str, Any], value: Any = None, **attributes: Any) -> Any:
    name = component["command_topic"].removeprefix("earshot/farm/command/")
    return parse_command(name, render_command(component, value, **attributes).encode())


def test_the_switch_mutes_for_a_week_at_most_and_ends_that():
    on, off = sent(parts()["mute"], "ON"), sent(parts()["mute"], "OFF")
    assert isinstance(on, Mute)
    assert (on.source, on.label, on.seconds, off.seconds) == ("hall", None, 604_800.0, 0.0)


@pytest.mark.parametrize("value", [0.65, 1, 0.01])
def test_the_number_sets_the_on_threshold(value: float):
    command = sent(parts()["threshold_dog"], value)
    assert isinstance(command, SetThreshold)
    assert (command.source, command.label, command.on, command.off) == ("hall", "dog", value, None)


def test_the_button_says_wrong_of_the_clip_that_it_carries():
    button = parts()["wrong"]
    last = json.dumps(event_document(end_of(), "farm", "Smoke alarm", CLIP))
    attributes = json.loads(render_value(button["json_attributes_template"], last))
    command = sent(button, "PRESS", **attributes)
    assert isinstance(command, Flag)
    assert (command.clip, command.verdict, command.who) == (CLIP, "wrong", "Home Assistant")


def test_commands_are_fresh_and_each_has_an_id_of_its_own():
    before = datetime.now(UTC)
    commands = [sent(parts()["mute"], "ON") for _ in range(20)]
    assert len({command.id for command in commands}) == 20
    assert all(before <= command.at <= datetime.now(UTC) for command in commands)


NOTHING = Announced({}, ())


def document(*labels: str) -> dict[str, Any]:
    return {"components": {label: {"platform": "binary_sensor", "name": label} for label in labels}}


def test_what_is_gone_is_found():
    known = NOTHING.including({"hall": document("dog", "cat"), "barn": document("dog")}, ["a", "b"])
    assert known.gone_devices({"hall": document("dog")}) == ["barn"]
    assert known.gone_components("hall", document("dog")) == {"cat": "binary_sensor"}
    assert known.gone_components("shed", document("dog")) == {}
    assert known.gone_states(["b", "c"]) == ["a"]


def test_what_is_gone_stays_known_until_it_is_back():
    known = NOTHING.including({"hall": document("dog", "cat"), "barn": document("dog")}, ["a", "b"])
    later = known.including({"hall": document("dog")}, ["b"])
    assert later.gone_devices({"hall": document("dog")}) == ["barn"]
    assert later.gone_components("hall", document("dog")) == {"cat": "binary_sensor"}
    assert later.gone_states(["b"]) == ["a"]
    back = later.including({"hall": document("cat"), "barn": document()}, ["a"])
    assert back.gone_devices({"hall": document("cat"), "barn": document()}) == []
    assert back.gone_states(["a"]) == ["b"]


def test_of_all_that_is_gone_the_oldest_is_forgotten():
    labels = [f"l{number}" for number in range(MOST_GONE_COMPONENTS + 5)]
    topics = [f"s{number}" for number in range(MOST_GONE_TOPICS + 5)]
    known = NOTHING.including({"hall": document(*labels)}, topics)
    gone = known.gone_components("hall", document())
    assert (next(iter(gone)), len(gone)) == ("l5", MOST_GONE_COMPONENTS)
    assert known.gone_states([])[0] == "s5"
    later = known.including({"hall": document()}, [])
    assert later.devices == {"hall": gone}
    assert len(later.states) == MOST_GONE_TOPICS


def test_it_is_kept_on_disk(tmp_path: Path):
    path = tmp_path / "homeassistant.json"
    assert read_announced(path) == NOTHING
    known = NOTHING.including({"hall": document("dog")}, ["a"])
    write_announced(path, known)
    assert read_announced(path) == known


def test_a_disk_that_fails_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    write_announced(tmp_path / "none" / "homeassistant.json", NOTHING)
    assert "is not kept: No such file or directory" in caplog.text


HALL, BARN = "ha/device/farm/hall/config", "ha/device/farm/barn/config"


def document_announcer(*labels: str) -> dict[str, Any]:
    components = {label: {"platform": "number", "unique_id": label} for label in labels}
    return {"device": {}, "components": components}


def announcer(tmp_path: Path) -> tuple[Announcer, RecordingPublisher]:
    publisher = RecordingPublisher()
    return Announcer(publisher, tmp_path / "homeassistant.json"), publisher


def retained(publisher: RecordingPublisher) -> dict[str, str]:
    assert all((message.retain, message.qos) == (True, 1) for message in publisher.published)
    return {message.topic: message.payload for message in publisher.published}


def test_devices_are_announced_in_their_order(tmp_path: Path):
    one, publisher = announcer(tmp_path)
    one.announce(
        {HALL: document_announcer("dog"), BARN: document_announcer("dog")}, ["farm/hall/status"]
    )
    assert list(retained(publisher)) == [HALL, BARN]
    assert json.loads(retained(publisher)[HALL]) == document_announcer("dog")


def test_a_component_that_is_gone_is_its_platform_alone(tmp_path: Path):
    one, publisher = announcer(tmp_path)
    one.announce({HALL: document_announcer("dog", "cat")}, [])
    one.announce({HALL: document_announcer("dog")}, [])
    components = json.loads(retained(publisher)[HALL])["components"]
    assert components == {
        "dog": {"platform": "number", "unique_id": "dog"},
        "cat": {"platform": "number"},
    }


def test_after_a_restart_all_that_is_gone_is_taken_back_each_time(tmp_path: Path):
    announcer(tmp_path)[0].announce(
        {HALL: document_announcer("dog", "cat"), BARN: document_announcer()}, ["a", "b"]
    )
    for _ in range(2):  # nobody knows whether the broker heard it the first time
        again, publisher = announcer(tmp_path)
        again.announce({HALL: document_announcer("cat")}, ["b"])
        said = retained(publisher)
        assert (said[BARN], said["a"]) == ("", "")
        assert json.loads(said[HALL])["components"]["dog"] == {"platform": "number"}
        assert "b" not in said


def test_without_its_memory_nothing_is_taken_back(tmp_path: Path):
    """The control: why there is a file."""
    announcer(tmp_path)[0].announce(
        {HALL: document_announcer("dog", "cat"), BARN: document_announcer()}, ["a"]
    )
    (tmp_path / "homeassistant.json").unlink()
    again, publisher = announcer(tmp_path)
    again.announce({HALL: document_announcer("cat")}, [])
    assert retained(publisher).keys() == {HALL}
    assert "dog" not in json.loads(retained(publisher)[HALL])["components"]


def test_what_comes_back_is_announced_whole(tmp_path: Path):
    for labels in (("dog",), (), ("dog",)):
        one, publisher = announcer(tmp_path)
        one.announce({HALL: document_announcer(*labels)}, [])
    assert json.loads(retained(publisher)[HALL]) == document_announcer("dog")


def test_it_can_be_said_once_more(tmp_path: Path):
    one, publisher = announcer(tmp_path)
    one.announce({HALL: document_announcer("dog")}, [])
    first = list(publisher.published)
    one.repeat()
    assert publisher.published == [*first, *first]
