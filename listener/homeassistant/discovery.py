"""Names and entities of a station as Home Assistant's MQTT discovery wants them.

Written from https://www.home-assistant.io/integrations/mqtt/ and its pages on binary_sensor, button, event,
number, sensor and switch.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from listener.detection.bundle import Label
from listener.mqtt.topics import Topics

MUTE_SECONDS = 604_800  # the longest that the command allows: a forgotten mute ends
_EVENT_ATTRIBUTES = ("label_name", "id", "onset", "level_dbfs", "clip")  # beside its type

# Device classes by the words of a label's slug: all words of a row are in it; the first match counts
_DEVICE_CLASSES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"smoke"}), "smoke"),
    (frozenset({"fire", "alarm"}), "smoke"),
    (frozenset({"co", "alarm"}), "carbon_monoxide"),
    (frozenset({"carbon", "monoxide"}), "carbon_monoxide"),
    (frozenset({"gas", "alarm"}), "gas"),
    (frozenset({"gas", "leak"}), "gas"),
    (frozenset({"water", "leak"}), "moisture"),
    (frozenset({"leak", "alarm"}), "moisture"),
)

Component = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Identity:
    """By what Home Assistant knows the device of a station or of one of its sources, for ever.

    Ids and topics are made of slugs, joined by characters that no slug has.
    """

    station: str
    source: str | None = None

    @property
    def identifier(self) -> str:
        """The id of the device: `earshot.farm` or `earshot.farm.hall`."""
        return ".".join(("earshot", *self._slugs))

    def unique_id(self, component: str) -> str:
        """The id of an entity of the device."""
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


def events(topics: Topics, source: str, labels: Sequence[Label]) -> dict[str, Component]:
    """The events of a source, the last of them, and the level."""
    attributes = ", ".join(f"'{name}': value_json.{name}" for name in _EVENT_ATTRIBUTES)
    verdict = f"'verdict_topic': '{topics.command('flag')}'"
    event = f"{{'event_type': value_json.label, {attributes}, {verdict}}}"
    # only a start is an event: Home Assistant ignores a message that renders to nothing
    template = f"{{% if value_json.phase == 'start' %}}{{{{ {event} | tojson }}}}{{% endif %}}"
    return {
        "event": {
            "platform": "event",
            "name": "Heard",
            "icon": "mdi:ear-hearing",
            "state_topic": topics.event(source),
            "event_types": [label.slug for label in labels],
            "value_template": template,
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
            "json_attributes_topic": topics.bandwidth(source),
        },
    }


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


def device_class(label: str) -> str:
    """Home Assistant's device class for a label (its slug)."""
    words = set(re.split(r"[_-]", label))
    return next((name for wanted, name in _DEVICE_CLASSES if wanted <= words), "sound")


def thresholds(topics: Topics, source: str, labels: Sequence[Label]) -> dict[str, Component]:
    """The on-threshold of each label, to be read and set, also while the source is offline."""
    return {
        f"threshold_{label.slug}": {
            "platform": "number",
            "name": f"{label.name} threshold",
            "icon": "mdi:tune-vertical",
            "entity_category": "config",
            "state_topic": topics.threshold(source, label.slug),
            "command_topic": topics.command("threshold"),
            "command_template": _command_template(
                source=f'"{source}"', label=f'"{label.slug}"', on="{{ value }}"
            ),
            "min": 0.01,
            "max": 1,
            "step": 0.01,
            "mode": "box",
        } | _station_available(topics)
        for label in labels
    }  # fmt: skip


def mute(topics: Topics, source: str) -> dict[str, Component]:
    """A switch that mutes a source for a week at most, also while it is offline; 0 seconds end a mute."""
    seconds = f"{{{{ {MUTE_SECONDS} if value == 'ON' else 0 }}}}"
    switch = {
        "platform": "switch",
        "name": "Mute",
        "icon": "mdi:volume-off",
        "state_topic": topics.muted(source),
        "command_topic": topics.command("mute"),
        "command_template": _command_template(source=f'"{source}"', seconds=seconds),
    }
    return {"mute": switch | _station_available(topics)}


def wrong(topics: Topics, source: str) -> dict[str, Component]:
    """A button that says that the last event was wrong, once it is over and if it has a clip.

    It keeps the clip's id as an attribute and sends that: the verdict is on what was shown.
    """
    last = topics.last(source)
    can_be_judged = "value_json.clip and value_json.phase == 'end'"
    available = f"{{{{ 'online' if {can_be_judged} else 'offline' }}}}"
    button = {
        "platform": "button",
        "name": "That was wrong",
        "icon": "mdi:thumb-down",
        "json_attributes_topic": last,
        "json_attributes_template": "{{ {'clip': value_json.clip} | tojson }}",
        "command_topic": topics.command("flag"),
        "command_template": _command_template(
            clip='"{{ this.attributes.clip }}"', verdict='"wrong"', who='"Home Assistant"'
        ),
        "availability": [
            station_availability(topics),
            {"topic": last, "value_template": available},
        ],
        "availability_mode": "all",
    }
    return {"wrong": button}


def _command_template(**fields: str) -> str:
    """The template from which Home Assistant makes a command, with the time and an id of its own."""
    stamp = {
        "id": '"ha-{{ (now().timestamp() * 1000000) | int }}"',
        "at": '"{{ now().isoformat() }}"',
    }
    inner = ", ".join(f'"{name}": {value}' for name, value in (stamp | fields).items())
    return f"{{{inner}}}"


def station_availability(topics: Topics) -> dict[str, str]:
    """Available while the station is connected."""
    return {"topic": topics.status}


def source_availability(topics: Topics, source: str) -> dict[str, str]:
    """Available while the source is analysed, also if it is `silent` or `clipping`."""
    template = "{{ 'offline' if value == 'offline' else 'online' }}"
    return {"topic": topics.source_status(source), "value_template": template}


def _station_available(topics: Topics) -> Component:
    return {"availability": [station_availability(topics)], "availability_mode": "all"}
