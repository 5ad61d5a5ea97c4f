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
HALL, BARN = "ha/device/farm/hall/config", "ha/device/farm/barn/config"
NOTHING = Announced({}, ())


def hall(
    support: CommandSupport = EVERYTHING, labels: tuple[Label, ...] = LABELS
) -> dict[str, Any]:
    return source_device(TOPICS, "hall", labels, support)


def hall_components(support: CommandSupport = EVERYTHING) -> dict[str, Any]:
    components: dict[str, Any] = hall(support)["components"]
    return components


@pytest.mark.parametrize(
    "support",
    [
        EVERYTHING,
        CommandSupport(True, False),
        CommandSupport(False, True),
        CommandSupport(False, False),
    ],
)
def test_the_document_of_a_source_is_valid(support: CommandSupport):
    assert problems(hall(support)) == []


def test_the_document_of_the_station_is_valid():
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


def test_the_device_of_a_source_refers_to_its_station():
    about = hall()["device"]
    assert about["identifiers"] == ["earshot.farm.hall"]
    assert about["via_device"] == station_device(TOPICS)["device"]["identifiers"][0]
    assert (about["name"], about["manufacturer"]) == ("Hall", "Earshot")


def test_each_label_has_a_binary_sensor_and_a_threshold():
    smoke, threshold = hall_components()["state_smoke_alarm"], hall_components()["threshold_dog"]
    assert (smoke["name"], smoke["device_class"]) == ("Smoke alarm", "smoke")
    assert smoke["state_topic"] == "earshot/farm/hall/state/smoke_alarm"
    assert smoke["unique_id"] == "earshot.farm.hall.state_smoke_alarm"
    assert threshold["state_topic"] == "earshot/farm/hall/threshold/dog"


def test_without_commands_there_are_no_controls():
    kinds = {
        component["platform"] for component in hall_components(CommandSupport(False, True)).values()
    }
    assert kinds == {"binary_sensor", "event", "sensor"}
    assert "wrong" not in hall_components(CommandSupport(commands=True, clips=False))


def test_with_too_many_labels_the_first_become_entities_and_all_are_event_types():
    labels = tuple(Label(f"l{number}", "x") for number in range(MOST_LABELS + 21))
    components = hall(labels=labels)["components"]
    assert sum(name.startswith("state_") for name in components) == MOST_LABELS
    assert len(components["event"]["event_types"]) == MOST_LABELS + 21


def test_the_largest_document_passes_the_broker_config_that_ships():
    labels = tuple(Label(f"{number:064d}", "x" * 64) for number in range(MOST_LABELS))
    document = source_device(Topics("earshot", "s" * 64), "h" * 64, labels, EVERYTHING)
    shipped = (ROOT / "mosquitto" / "earshot.conf").read_text()
    (limit,) = re.findall(r"^max_packet_size (\d+)$", shipped, re.MULTILINE)
    gone = MOST_GONE_COMPONENTS * len('"threshold_": {"platform": "number"}, ' + "x" * 64)
    assert len(json.dumps(document)) + gone < int(limit)


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


def test_settings_are_available_while_the_source_is_offline():
    for name in ("mute", "threshold_dog"):
        assert set(availability(hall_components()[name])) == {"earshot/farm/status"}


def test_without_the_station_its_connection_is_off_and_its_numbers_are_unavailable():
    components = station_device(TOPICS)["components"]
    assert "availability" not in station_device(TOPICS) | components["connected"]
    assert components["connected"]["payload_off"] == "offline"
    assert components["backlog"]["availability"] == [{"topic": "earshot/farm/status"}]


@pytest.mark.parametrize(
    ("clip", "phase", "wanted"),
    [(CLIP, "end", "online"), (CLIP, "start", "offline"), (None, "end", "offline")],
)
def test_the_button_is_available_once_an_event_with_a_clip_is_over(
    clip: str | None, phase: str, wanted: str
):
    template = availability(hall_components()["wrong"])["earshot/farm/hall/last"]
    assert render_value(str(template), json.dumps({"clip": clip, "phase": phase})) == wanted


def test_the_start_of_an_event_is_one_of_its_types_with_attributes():
    component = hall_components()["event"]
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


def test_the_end_of_an_event_renders_to_nothing():
    document = event_document(end_of(), "farm", "Smoke alarm", None)
    assert render_value(hall_components()["event"]["value_template"], json.dumps(document)) == ""


def test_special_characters_in_names_survive():
    document = event_document(start_of(label="dog"), "farm", '"Hund" & <Katze>', None)
    rendered = render_value(hall_components()["event"]["value_template"], json.dumps(document))
    assert json.loads(rendered)["label_name"] == '"Hund" & <Katze>'


def test_the_level_and_the_last_event_are_shown():
    assert render_value(hall_components()["level"]["value_template"], '{"dbfs": -43.2}') == "-43.2"
    assert hall_components()["level"]["unit_of_measurement"] == "dBFS"
    document = json.dumps(event_document(end_of(), "farm", "Smoke alarm", None))
    assert render_value(hall_components()["last"]["value_template"], document) == "Smoke alarm"


def test_the_stations_numbers_are_shown():
    components = station_device(TOPICS)["components"]
    bundle = '{"name": "home-alarms", "version": 3}'
    assert render_value(components["bundle"]["value_template"], bundle) == "home-alarms@3"
    numbers = '{"dropped_patches": 7, "waiting_messages": 2}'
    assert render_value(components["dropped_patches"]["value_template"], numbers) == "7"
    assert render_value(components["backlog"]["value_template"], numbers) == "2"


def sent(component: dict[str, Any], value: Any = None, **attributes: Any) -> Any:
    name = component["command_topic"].removeprefix("earshot/farm/command/")
    return parse_command(name, render_command(component, value, **attributes).encode())


def test_the_switch_mutes_for_a_week_at_most_and_unmutes():
    on, off = sent(hall_components()["mute"], "ON"), sent(hall_components()["mute"], "OFF")
    assert isinstance(on, Mute)
    assert (on.source, on.label, on.seconds, off.seconds) == ("hall", None, 604_800.0, 0.0)


@pytest.mark.parametrize("value", [0.65, 1, 0.01])
def test_the_number_sets_the_on_threshold(value: float):
    command = sent(hall_components()["threshold_dog"], value)
    assert isinstance(command, SetThreshold)
    assert (command.source, command.label, command.on, command.off) == ("hall", "dog", value, None)


def test_the_button_sends_a_verdict_on_the_clip_in_its_attributes():
    button = hall_components()["wrong"]
    last = json.dumps(event_document(end_of(), "farm", "Smoke alarm", CLIP))
    attributes = json.loads(render_value(button["json_attributes_template"], last))
    command = sent(button, "PRESS", **attributes)
    assert isinstance(command, Flag)
    assert (command.clip, command.verdict, command.who) == (CLIP, "wrong", "Home Assistant")


def test_commands_are_fresh_and_each_has_an_id_of_its_own():
    before = datetime.now(UTC)
    commands = [sent(hall_components()["mute"], "ON") for _ in range(20)]
    assert len({command.id for command in commands}) == 20
    assert all(before <= command.at <= datetime.now(UTC) for command in commands)


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


def test_of_too_many_gone_things_the_oldest_are_forgotten():
    labels = [f"l{number}" for number in range(MOST_GONE_COMPONENTS + 5)]
    topics = [f"s{number}" for number in range(MOST_GONE_TOPICS + 5)]
    known = NOTHING.including({"hall": document(*labels)}, topics)
    gone = known.gone_components("hall", document())
    assert (next(iter(gone)), len(gone)) == ("l5", MOST_GONE_COMPONENTS)
    assert known.gone_states([])[0] == "s5"
    later = known.including({"hall": document()}, [])
    assert later.devices == {"hall": gone}
    assert len(later.states) == MOST_GONE_TOPICS


def test_what_was_announced_is_kept_on_disk(tmp_path: Path):
    path = tmp_path / "homeassistant.json"
    assert read_announced(path) == NOTHING
    known = NOTHING.including({"hall": document("dog")}, ["a"])
    write_announced(path, known)
    assert read_announced(path) == known


def test_a_disk_that_fails_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    write_announced(tmp_path / "none" / "homeassistant.json", NOTHING)
    assert "is not saved: No such file or directory" in caplog.text


def device(*labels: str) -> dict[str, Any]:
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
    one.announce({HALL: device("dog"), BARN: device("dog")}, ["farm/hall/status"])
    assert list(retained(publisher)) == [HALL, BARN]
    assert json.loads(retained(publisher)[HALL]) == device("dog")


def test_a_component_that_is_gone_is_announced_with_its_platform_alone(tmp_path: Path):
    one, publisher = announcer(tmp_path)
    one.announce({HALL: device("dog", "cat")}, [])
    one.announce({HALL: device("dog")}, [])
    components = json.loads(retained(publisher)[HALL])["components"]
    assert components == {
        "dog": {"platform": "number", "unique_id": "dog"},
        "cat": {"platform": "number"},
    }


def test_after_each_restart_everything_that_is_gone_is_removed_again(tmp_path: Path):
    announcer(tmp_path)[0].announce({HALL: device("dog", "cat"), BARN: device()}, ["a", "b"])
    for _ in range(2):  # nobody knows whether the broker got it the first time
        again, publisher = announcer(tmp_path)
        again.announce({HALL: device("cat")}, ["b"])
        found = retained(publisher)
        assert (found[BARN], found["a"]) == ("", "")
        assert json.loads(found[HALL])["components"]["dog"] == {"platform": "number"}
        assert "b" not in found


def test_without_the_state_file_nothing_is_removed(tmp_path: Path):
    """The control: why there is a file."""
    announcer(tmp_path)[0].announce({HALL: device("dog", "cat"), BARN: device()}, ["a"])
    (tmp_path / "homeassistant.json").unlink()
    again, publisher = announcer(tmp_path)
    again.announce({HALL: device("cat")}, [])
    assert retained(publisher).keys() == {HALL}
    assert "dog" not in json.loads(retained(publisher)[HALL])["components"]


def test_a_component_that_comes_back_is_announced_whole(tmp_path: Path):
    for labels in (("dog",), (), ("dog",)):
        one, publisher = announcer(tmp_path)
        one.announce({HALL: device(*labels)}, [])
    assert json.loads(retained(publisher)[HALL]) == device("dog")


def test_repeat_announces_the_same_once_more(tmp_path: Path):
    one, publisher = announcer(tmp_path)
    one.announce({HALL: device("dog")}, [])
    first = list(publisher.published)
    one.repeat()
    assert publisher.published == [*first, *first]
