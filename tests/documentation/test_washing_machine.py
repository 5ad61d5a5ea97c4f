"""docs/washing-machine.md, step by step, with a file in the microphone's place and no phone."""

import json
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from listener.config.load import parse_config
from listener.soundscape.sounds import appliance_beep
from tests.documentation.pages import Block, blocks
from tests.documentation.recordings import OFFSET, ONSET, write_recording
from tests.listener.commands.program import run_listener
from tests.rigs.mosquitto import Message, Mosquitto, free_port, subscribe
from tests.rigs.station import running_station
from tests.shared import ROOT

PAGE = ROOT / "docs" / "washing-machine.md"
STARTER = ROOT / "listener" / "starter" / "bundle"
LABEL = "appliance_beep"
STATE = f"earshot/home/laundry/state/{LABEL}"


def on_the_page(language: str) -> list[Block]:
    return [block for block in blocks(language) if block.page == PAGE]


def read_toml(number: int) -> dict[str, Any]:
    return tomllib.loads(on_the_page("toml")[number].text)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    write_recording(tmp_path / "beeps.wav", appliance_beep)
    return tmp_path / "beeps.wav"


def test_step_3_the_starter_bundle_knows_the_beep(recording: Path):
    heard = run_listener("replay", recording, "--bundle", STARTER)
    events = [json.loads(line) for line in heard.stdout.splitlines()]
    assert [event["label"] for event in events] == [LABEL]
    assert events[0]["onset"] == pytest.approx(ONSET, abs=1.0)
    assert events[0]["offset"] == pytest.approx(OFFSET, abs=3.0)


def with_a_file(document: Mapping[str, Any], recording: Path, broker: Mosquitto) -> dict[str, Any]:
    """The page's config with a file for the microphone, and this machine's ports and paths."""
    source = {
        "name": document["sources"][0]["name"],
        "kind": "file",
        "path": recording,
        "pace": "fast",
    }
    return {
        **document,
        "bundle": STARTER,
        "sources": [source],
        "mqtt": {**document["mqtt"], "port": broker.port},
        "http": {"port": free_port()},
    }


def test_steps_4_to_6_the_beep_becomes_the_message_on_the_phone(recording: Path, tmp_path: Path):
    [automation] = [yaml.safe_load(block.text) for block in on_the_page("yaml")]
    [trigger] = automation["triggers"]
    with Mosquitto(tmp_path) as broker, subscribe(broker.port, "earshot/#") as messages:
        config = with_a_file(read_toml(0), recording, broker)
        with running_station(tmp_path, config) as station:
            assert station.process.wait(90) == 0, station.log
        messages.wait_for_payload("earshot/home/status", "offline", 30)  # the last that it says
    states = [message.payload for message in messages.all if message.topic == STATE]
    documents = [told for message in messages.all if (told := told_by(trigger, message))]
    assert "ON" in states
    assert states[-1] == "OFF"
    assert len(documents) == 1, "one message on the phone for one load of laundry"
    [action] = automation["actions"]
    text = render(action["data"]["message"], trigger={"payload_json": documents[0]})
    assert text == f"The washing machine was done at {local_time(documents[0]['offset'])}."


def told_by(trigger: Mapping[str, str], message: Message) -> dict[str, Any] | None:
    """The event, if Home Assistant's MQTT trigger would fire on this message."""
    if message.topic != trigger["topic"]:
        return None
    document: dict[str, Any] = json.loads(message.payload)
    fires = render(trigger["value_template"], value_json=document) == trigger["payload"]
    return document if fires else None


def render(template: str, **values: Any) -> str:
    """As Home Assistant would, with its functions of the same names that the page uses."""
    environment = jinja2.Environment(autoescape=False)
    environment.globals["as_timestamp"] = as_timestamp
    environment.filters["timestamp_custom"] = timestamp_custom
    return environment.from_string(template).render(**values)


def as_timestamp(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def timestamp_custom(seconds: float, form: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime(form)


def local_time(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone():%H:%M}"


def test_step_7_the_config_of_the_page_takes_new_labels():
    first, second = read_toml(0), read_toml(1)
    config = parse_config({**first, **second}, "the page")
    assert config.clips.new_labels
    assert config.review.enabled
    assert config.detection.labels == ("beep_bleep",)
