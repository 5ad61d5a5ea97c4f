"""The blueprint and the examples for Home Assistant are YAML, and what they send is a command."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from listener.config.load import parse_config
from listener.control.commands import Flag, Snapshot, parse_command
from listener.detection.bundle import Label
from listener.homeassistant.devices import CommandSupport, source_device, station_device
from listener.homeassistant.discovery import device_class
from listener.mqtt.topics import Topics
from tests.listener.homeassistant.templates import render, render_value
from tests.shared import ROOT

BLUEPRINT = ROOT / "blueprints" / "automation" / "earshot" / "notify_with_verdict.yaml"
GUIDE = (ROOT / "docs" / "home-assistant.md").read_text(encoding="utf-8")
CLIP = "01JD9Z6T3W8Q5V1N2M4K7B0C9E"


class Loader(yaml.SafeLoader):
    """Reads !input, which is Home Assistant's own."""


class Input(str):
    """The name of an input, in the place of its value."""

    __slots__ = ()


def read_input(loader: Loader, node: yaml.Node) -> Input:
    assert isinstance(node, yaml.ScalarNode)
    return Input(loader.construct_scalar(node))


Loader.add_constructor("!input", read_input)


@pytest.fixture(scope="module")
def blueprint() -> dict[str, Any]:
    read: dict[str, Any] = yaml.load(BLUEPRINT.read_text(encoding="utf-8"), Loader)
    return read


def everything_in(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(found for one in inner for found in everything_in(one))]


def test_the_blueprint_uses_every_input_that_it_asks_for(blueprint: dict[str, Any]):
    used = {one for one in everything_in(blueprint) if isinstance(one, Input)}
    assert used == set(blueprint["blueprint"]["input"])
    assert blueprint["blueprint"]["domain"] == "automation"


def test_the_blueprint_has_what_an_automation_may_have(blueprint: dict[str, Any]):
    allowed = {"blueprint", "mode", "max", "triggers", "variables", "conditions", "actions"}
    assert blueprint.keys() == allowed


def action_of(blueprint: dict[str, Any]) -> dict[str, Any]:
    (found,) = [a["data"] for a in blueprint["actions"] if a.get("action") == "mqtt.publish"]
    assert isinstance(found, dict)
    return found


def variables(blueprint: dict[str, Any], attributes: dict[str, Any]) -> dict[str, Any]:
    """What the blueprint knows when its event entity has come to have these attributes."""
    state = SimpleNamespace(attributes=SimpleNamespace(**attributes))
    names: dict[str, Any] = {
        "trigger": SimpleNamespace(to_state=state, entity_id="event.hall_heard"),
        "context": SimpleNamespace(id="01ABC"),
    }
    for name, template in blueprint["variables"].items():
        names[name] = template if isinstance(template, Input) else render(template, **names)
    return names


def test_the_notification_says_what_and_where_and_when(blueprint: dict[str, Any]):
    names = variables(blueprint, heard() | {"onset": "2026-11-20T03:12:07.440Z"})
    told = [
        one
        for one in everything_in(blueprint)
        if isinstance(one, dict) and "title" in one and "message" in one
    ]
    assert [render(action["title"], **names) for action in told] == ["Dog", "Dog"]
    assert {render(action["message"], **names) for action in told} == {"Hall, 03:12:07"}
    assert [len(action.get("data", {}).get("actions", ())) for action in told] == [0, 2]


def heard() -> dict[str, Any]:
    """The attributes of the event entity, as its value template makes them."""
    topics = Topics("earshot", "farm")
    device = source_device(topics, "hall", (Label("dog", "Dog"),), CommandSupport(True, True))
    message: dict[str, Any] = {
        "phase": "start",
        "label": "dog",
        "label_name": "Dog",
        "id": CLIP,
        "clip": CLIP,
    }
    message |= {"onset": datetime.now().astimezone().isoformat(), "level_dbfs": -20.0}
    template = device["components"]["event"]["value_template"]
    attributes: dict[str, Any] = json.loads(render_value(template, json.dumps(message)))
    return attributes


@pytest.mark.parametrize("answer", ["right", "wrong"])
def test_the_answer_on_the_phone_is_a_verdict_on_the_clip(blueprint: dict[str, Any], answer: str):
    names = variables(blueprint, heard())
    for name, template in blueprint["actions"][0]["variables"].items():
        names[name] = render(template, **names)
    pressed = SimpleNamespace(event=SimpleNamespace(data=SimpleNamespace(action=names[answer])))
    data = action_of(blueprint)
    topic = render(data["topic"], **names)
    assert topic == "earshot/farm/command/flag"
    payload = render(data["payload"], wait=SimpleNamespace(trigger=pressed), **names)
    command = parse_command("flag", payload.encode())
    assert isinstance(command, Flag)
    assert (command.clip, command.verdict, command.who) == (CLIP, answer, "Home Assistant")
    assert data["qos"] == 1
    assert "retain" not in data


@pytest.mark.parametrize(
    ("wanted", "onset", "goes_on"),
    [
        ([], None, True),
        (["dog"], None, True),
        (["cat"], None, False),
        ([], "2026-01-01T00:00:00.000+00:00", False),  # it comes months late
    ],
)
def test_the_blueprint_tells_of_fresh_events_that_are_wanted(
    blueprint: dict[str, Any], wanted: list[str], onset: str | None, goes_on: bool
):
    names = variables(blueprint, heard() | ({} if onset is None else {"onset": onset}))
    names["wanted"] = wanted
    answers = [render(condition, **names) for condition in blueprint["conditions"]]
    assert (set(answers) == {"True"}) is goes_on


# --- the guide ------------------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", GUIDE, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def test_the_examples_are_automations():
    examples = [yaml.safe_load(block) for block in blocks("yaml")]
    assert len(examples) == 3
    for example in examples:
        assert example.keys() == {"alias", "triggers", "actions"}


def test_the_command_of_an_example_is_one():
    (data,) = [
        action["data"]
        for block in blocks("yaml")
        for action in yaml.safe_load(block)["actions"]
        if action["action"] == "mqtt.publish"
    ]
    name = data["topic"].removeprefix("earshot/farm/command/")
    command = parse_command(name, render(data["payload"]).encode())
    assert isinstance(command, Snapshot)
    assert (command.source, command.seconds) == ("hall", 10.0)


def test_the_config_of_the_guide_is_one():
    (block,) = blocks("toml")
    source = {"name": "hall", "kind": "microphone"}
    config = parse_config(tomllib.loads(block) | {"bundle": "b", "sources": [source]}, "guide")
    assert config.homeassistant.enabled
    assert config.control.mqtt


def test_the_guide_names_the_entities_of_the_code():
    topics = Topics("earshot", "farm")
    of_source = source_device(topics, "hall", (Label("dog", "Dog"),), CommandSupport(True, True))
    names = {c["name"] for c in of_source["components"].values()} - {"Dog", "Dog threshold"}
    names |= {c["name"] for c in station_device(topics)["components"].values()}
    assert {name for name in names if f"*{name}*" not in GUIDE} == set()


def test_the_guides_device_classes_are_those_of_the_code():
    table = GUIDE[GUIDE.index("| device class") :]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE)
    for name, words in rows:
        for label in words.split("; "):
            assert device_class(label.replace(" ", "_")) == name
    assert [name for name, _ in rows][-1] == "sound"
