"""Topics, metrics, options, settings, events and files that the pages name are those of the code."""

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import jinja2
import pytest
import typer
import yaml

import listener.cli
import trainer.cli
from listener.config.load import parse_config
from listener.control.commands import parse_command
from listener.detection.event import SoundEvent
from listener.sinks.event_document import event_document
from tests.documentation.pages import PAGES, Block, blocks
from tests.listener.sinks.test_metrics import METRICS
from tests.shared import ROOT

NEEDED = {"bundle": "b", "sources": [{"name": "hall", "kind": "microphone"}], "mqtt": {}}
HISTOGRAMS = {name.removesuffix("_bucket") for name in METRICS if name.endswith("_bucket")}
PROSE = [(page, page.read_text()) for page in PAGES]


def names(page: tuple[Path, str]) -> str:
    return page[0].name


@pytest.mark.parametrize("page", PROSE, ids=names)
def test_every_metric_is_one_that_the_station_gives(page: tuple[Path, str]):
    named = set(re.findall(r"\blistener_[a-z_]+[a-z]\b", page[1]))
    assert named - METRICS.keys() - HISTOGRAMS == set()


TOPICS = [
    topic.split("/")
    for topic in re.findall(
        r"^\| `([^`]+)` \| (?:yes|no)", (ROOT / "docs/mqtt.md").read_text(), re.MULTILINE
    )
]


def is_a_topic(named: str) -> bool:
    """Whether a topic of the table, seen on a page as `earshot/<station>/...`, may be this one."""
    segments = named.split("/")[2:]
    return any(fits(segments, topic) for topic in [*TOPICS, ["answer", "<who>"]])


def fits(named: Sequence[str], topic: Sequence[str]) -> bool:
    if not named or named[0] in ("", "#"):
        return True
    if not topic:
        return False
    alike = named[0] in (topic[0], "+") or topic[0].startswith("<")
    return alike and (fits(named[1:], topic[1:]) if len(named) > 1 else len(topic) == 1)


@pytest.mark.parametrize("page", PROSE, ids=names)
def test_every_topic_is_one_of_the_table(page: tuple[Path, str]):
    named = re.findall(r"(?<![\w/.-])earshot/(?:[a-z]+|<station>)/[A-Za-z0-9<>/+#_-]+", page[1])
    assert [topic for topic in named if not is_a_topic(topic)] == []


def test_a_topic_that_there_is_not_is_seen():
    assert is_a_topic("earshot/farm/hall/event")
    assert is_a_topic("earshot/farm/+/state/dog")
    assert not is_a_topic("earshot/farm/hall/events")
    assert not is_a_topic("earshot/farm/hall/state")


def options() -> set[str]:
    found = set()
    waiting = [typer.main.get_command(app) for app in (listener.cli.app, trainer.cli.app)]
    while waiting:
        command = waiting.pop()
        waiting += getattr(command, "commands", {}).values()
        for parameter in command.params:
            found |= {*parameter.opts, *parameter.secondary_opts}
    return found


@pytest.mark.parametrize("page", PROSE, ids=names)
def test_every_option_in_the_text_is_one_of_a_command(page: tuple[Path, str]):
    text = re.sub(r"^```.*?^```", "", page[1], flags=re.MULTILINE | re.DOTALL)
    ours = "\n".join(re.findall(r"`(?:(?:listener|trainer) [^`]*|--[^`]*)`", text))
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ours)) - options() == set()


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_every_piece_of_a_config_is_one(block: Block):
    parse_config({**NEEDED, **tomllib.loads(block.text)}, str(block))


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_every_piece_of_yaml_can_be_read_and_its_templates_too(block: Block):
    document = yaml.safe_load(block.text)
    assert document
    for template in re.findall(r"\{[{%].*?[%}]\}", block.text):
        jinja2.Environment(autoescape=False).parse(template)


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_every_event_has_the_keys_that_a_station_writes(block: Block):
    document = json.loads(block.text)
    if "phase" in document:
        event = SoundEvent("id", "hall", "dog", 1.0, 2.0, 0.9, 0.8, -20.0, "b@1")
        assert set(document) == {*event_document(event, "farm", "Dog", None), "seq"}


def test_the_command_that_is_shown_is_one():
    page = (ROOT / "docs" / "mqtt.md").read_text()
    shown = re.search(r"command/(\w+) .*?-m '(\{.*?\})'", page, re.DOTALL)
    assert shown is not None
    assert parse_command(shown[1], shown[2].encode())


@pytest.mark.parametrize("page", PROSE, ids=names)
def test_every_page_and_folder_that_is_named_is_there(page: tuple[Path, str]):
    linked = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page[1])
    missing = [link for link in linked if not (page[0].parent / link).exists()]
    named = re.findall(
        r"`((?:docs|tests|monitoring|mosquitto|systemd|blueprints)/[\w./@-]+)`", page[1]
    )
    missing += [path for path in named if not (ROOT / path).exists()]
    assert missing == []
