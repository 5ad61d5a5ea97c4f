"""What is written for people is what the code does."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
import typer
from pydantic_core import PydanticUndefined

import listener.cli
import trainer.cli
from listener.config.load import load_config
from listener.mqtt.topics import Topics
from tests.documentation.settings import settings_tables

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
MQTT = (ROOT / "docs" / "mqtt.md").read_text()
EXAMPLE = ROOT / "config.example.toml"


def test_the_example_config_is_a_config():
    config = load_config(EXAMPLE)
    assert config.bundle == ROOT / "models" / "yamnet"


def test_the_example_config_shows_every_setting():
    shown = set(re.findall(r"^\W*\[*([a-z_.]+)\]*(?: =|\]|$)", EXAMPLE.read_text(), re.MULTILINE))
    shown |= {part for name in shown for part in name.split(".")}
    fields = {name for table in settings_tables() for name in table.model.model_fields}
    assert fields - shown == set()


def as_toml(default: object) -> object:
    """What TOML has no word for is written as another."""
    if isinstance(default, Path):
        return str(default)
    return [*default] if isinstance(default, tuple) else default


def test_what_is_commented_out_in_the_example_is_a_default():
    shown = re.findall(r"^# ([a-z_]+) = ([^#]+?) *(?:#.*)?$", EXAMPLE.read_text(), re.MULTILINE)
    defaults: dict[str, list[object]] = defaultdict(list)
    for table in settings_tables():
        for name, field in table.model.model_fields.items():
            defaults[name].append(as_toml(field.get_default(call_default_factory=True)))
    for name, value in shown:
        known = defaults[name]
        has_none = any(default in (None, PydanticUndefined) for default in known)
        assert has_none or tomllib.loads(f"x = {value}")["x"] in known, name


@pytest.mark.parametrize("command", ["listener", "trainer"])
def test_the_readme_names_every_command_and_no_other(command: str):
    app = {"listener": listener.cli.app, "trainer": trainer.cli.app}[command]
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert set(re.findall(rf"^\| `{command} ([a-z]+)", README, re.MULTILINE)) == commands


def test_the_page_on_mqtt_shows_the_topics_of_the_code():
    topics = Topics("earshot", "<station>")
    in_code = {
        topics.status,
        topics.bundle,
        topics.bundle_refused,
        topics.clock,
        topics.gap,
        topics.command("<name>"),
        topics.command_result("<name>"),
        topics.source_status("<source>"),
        topics.bandwidth("<source>"),
        topics.event("<source>"),
        topics.state("<source>", "<label>"),
        topics.level("<source>"),
        topics.last("<source>"),
        topics.muted("<source>"),
        topics.threshold("<source>", "<label>"),
        topics.diagnostics,
    }
    table = MQTT[MQTT.index("| topic | retained") :]
    table = table[: table.index("\n\n")]
    documented = {
        f"{topics.root}/{name}" for name in re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    }
    assert documented == in_code


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b(?= *#|`)", README)) <= targets
