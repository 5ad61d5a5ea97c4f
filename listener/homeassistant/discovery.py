"""The entities of a source, as Home Assistant's MQTT platforms want to be told of them.

Written from https://www.home-assistant.io/integrations/mqtt/ and its pages on binary_sensor, button, event,
number, sensor and switch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from listener.detection.bundle import Label
from listener.mqtt.topics import Topics

MUTE_SECONDS = 604_800  # the longest that the command takes: a mute that is forgotten ends
_ANY_OTHER = "sound"
_ATTRIBUTES = ("label_name", "id", "onset", "level_dbfs", "clip")  # of an event, beside its type


# Templates by which Home Assistant makes commands of the station, each fresh and with an id of its own.


def mute_template(source: str) -> str:
    """Of a switch, whose `value` is ON or OFF; 0 seconds end the mute."""
    seconds = f"{{{{ {MUTE_SECONDS} if value == 'ON' else 0 }}}}"
    return _command(source=f'"{source}"', seconds=seconds)


def threshold_template(source: str, label: str) -> str:
    """Of a number, whose `value` is the new on-threshold."""
    return _command(source=f'"{source}"', label=f'"{label}"', on="{{ value }}")


def wrong_template() -> str:
    """Of a button that has the clip's id as its attribute `clip`."""
    clip = '"{{ this.attributes.clip }}"'
    return _command(clip=clip, verdict='"wrong"', who='"Home Assistant"')


def _command(**fields: str) -> str:
    stamp = {
        "id": '"ha-{{ (now().timestamp() * 1000000) | int }}"',
        "at": '"{{ now().isoformat() }}"',
    }
    inner = ", ".join(f'"{name}": {value}' for name, value in (stamp | fields).items())
    return f"{{{inner}}}"


# Which device class a label's binary sensor has, by the words of its slug.


# All words of a row are in the slug; the first row that fits counts.
_BY_WORDS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"smoke"}), "smoke"),
    (frozenset({"fire", "alarm"}), "smoke"),
    (frozenset({"co", "alarm"}), "carbon_monoxide"),
    (frozenset({"carbon", "monoxide"}), "carbon_monoxide"),
    (frozenset({"gas", "alarm"}), "gas"),
    (frozenset({"gas", "leak"}), "gas"),
    (frozenset({"water", "leak"}), "moisture"),
    (frozenset({"leak", "alarm"}), "moisture"),
)


def device_class(label: str) -> str:
    """Home Assistant's device class for a label (its slug)."""
    words = set(re.split(r"[_-]", label))
    return next((name for wanted, name in _BY_WORDS if wanted <= words), _ANY_OTHER)


Component = dict[str, Any]


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


# Names that Home Assistant knows things by for ever: made of slugs alone, joined by what no slug holds.


@dataclass(frozen=True, slots=True)
class Identity:
    """Of a station's device, or of that of one of its sources."""

    station: str
    source: str | None = None

    @property
    def identifier(self) -> str:
        """Of the device: `earshot.farm` or `earshot.farm.hall`."""
        return ".".join(("earshot", *self._slugs))

    def unique_id(self, component: str) -> str:
        """Of an entity of the device."""
        return f"{self.identifier}.{component}"

    def config_topic(self, discovery_prefix: str) -> str:
        """Where the device is announced.

        The station is a level of its own, so that a broker's ACL can name it.
        """
        return "/".join((discovery_prefix, "device", *self._slugs, "config"))

    @property
    def name(self) -> str:
        """For people: `Back yard` for `back_yard`."""
        return self._slugs[-1].replace("_", " ").replace("-", " ").strip().capitalize()

    @property
    def _slugs(self) -> tuple[str, ...]:
        return (self.station,) if self.source is None else (self.station, self.source)
