"""The entities of a source, as Home Assistant's MQTT platforms want to be told of them.

Written from https://www.home-assistant.io/integrations/mqtt/ and its pages on binary_sensor, button, event,
number, sensor and switch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from listener.detection.bundle import Label
from listener.homeassistant.command_templates import (
    mute_template,
    threshold_template,
    wrong_template,
)
from listener.homeassistant.device_class import device_class
from listener.mqtt.topics import Topics

Component = dict[str, Any]

_ATTRIBUTES = ("label_name", "id", "onset", "level_dbfs", "clip")  # of an event, beside its type


def listening(topics: Topics, source: str, labels: Sequence[Label]) -> dict[str, Component]:
    """What is heard on a source, beside its labels: events, the last of them, and the level."""
    return {
        "event": {
            "platform": "event",
            "name": "Heard",
            "icon": "mdi:ear-hearing",
            "state_topic": topics.event(source),
            "event_types": [label.slug for label in labels],
            "value_template": _event_template(topics),
        },
        "last": {
            "platform": "sensor",
            "name": "Last heard",
            "icon": "mdi:history",
            "state_topic": topics.last(source),
            "value_template": "{{ value_json.label_name }}",
            "json_attributes_topic": topics.last(source),
        },
        "level": {
            "platform": "sensor",
            "name": "Level",
            "icon": "mdi:volume-high",
            # no device class: sound_pressure is dB of the air, and this is of the converter's full scale
            "state_class": "measurement",
            "unit_of_measurement": "dBFS",
            "suggested_display_precision": 0,
            "state_topic": topics.level(source),
            "value_template": "{{ value_json.dbfs }}",
        },
    }


def _event_template(topics: Topics) -> str:
    """Only a start is an event; what renders to nothing, Home Assistant passes over."""
    attributes = ", ".join(f"'{name}': value_json.{name}" for name in _ATTRIBUTES)
    verdict = f"'verdict_topic': '{topics.command('flag')}'"
    event = f"{{'event_type': value_json.label, {attributes}, {verdict}}}"
    return f"{{% if value_json.phase == 'start' %}}{{{{ {event} | tojson }}}}{{% endif %}}"


def label_states(topics: Topics, source: str, labels: Sequence[Label]) -> dict[str, Component]:
    """Whether each label is heard now."""
    return {
        f"state_{label.slug}": {
            "platform": "binary_sensor",
            "name": label.name,
            "device_class": device_class(label.slug),
            "state_topic": topics.state(source, label.slug),
        }
        for label in labels
    }


def thresholds(topics: Topics, source: str, labels: Sequence[Label]) -> dict[str, Component]:
    """The on-threshold of each label, to be read and set, also while the source is away."""
    return {
        f"threshold_{label.slug}": {
            "platform": "number",
            "name": f"{label.name} threshold",
            "icon": "mdi:tune-vertical",
            "entity_category": "config",
            "state_topic": topics.threshold(source, label.slug),
            "command_topic": topics.command("threshold"),
            "command_template": threshold_template(source, label.slug),
            "min": 0.01,
            "max": 1,
            "step": 0.01,
            "mode": "box",
        } | _with_the_station(topics)
        for label in labels
    }  # fmt: skip


def mute(topics: Topics, source: str) -> dict[str, Component]:
    """No events of a source: on for a week at most, also while the source is away."""
    switch = {
        "platform": "switch",
        "name": "Mute",
        "icon": "mdi:volume-off",
        "state_topic": topics.muted(source),
        "command_topic": topics.command("mute"),
        "command_template": mute_template(source),
    }
    return {"mute": switch | _with_the_station(topics)}


def wrong(topics: Topics, source: str) -> dict[str, Component]:
    """A button that says so of the last event, where that is over and has a clip.

    It carries the clip's id as an attribute and sends that: what was shown is what is judged.
    """
    last = topics.last(source)
    judged = "value_json.clip and value_json.phase == 'end'"
    button = {
        "platform": "button",
        "name": "That was wrong",
        "icon": "mdi:thumb-down",
        "json_attributes_topic": last,
        "json_attributes_template": "{{ {'clip': value_json.clip} | tojson }}",
        "command_topic": topics.command("flag"),
        "command_template": wrong_template(),
        "availability": [
            station_availability(topics),
            {"topic": last, "value_template": f"{{{{ 'online' if {judged} else 'offline' }}}}"},
        ],
        "availability_mode": "all",
    }
    return {"wrong": button}


def station_availability(topics: Topics) -> dict[str, str]:
    """Available while the station is connected."""
    return {"topic": topics.status}


def source_availability(topics: Topics, source: str) -> dict[str, str]:
    """Available while the source is analysed, also if it is `silent` or `clipping`."""
    template = "{{ 'offline' if value == 'offline' else 'online' }}"
    return {"topic": topics.source_status(source), "value_template": template}


def _with_the_station(topics: Topics) -> Component:
    return {"availability": [station_availability(topics)], "availability_mode": "all"}
