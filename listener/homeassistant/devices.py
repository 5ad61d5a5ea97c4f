"""The devices of a station as discovery documents: one of its own, and one for each source."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass as pydantic_dataclass

from listener import __version__
from listener.detection.bundle import Label
from listener.files import read_state, to_json, write_state
from listener.homeassistant import discovery
from listener.mqtt.broker import Publisher
from listener.mqtt.topics import Topics

log = logging.getLogger(__name__)

MOST_LABELS = 100  # that become entities: with more, a broker may refuse the message
# What is gone and still known; of more, the oldest are forgotten
MOST_GONE_COMPONENTS = 300  # of a device: they take room in its document
MOST_GONE_TOPICS = 2_000

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CommandSupport:
    """What people may do from Home Assistant: send commands, and judge clips."""

    commands: bool
    clips: bool


def source_device(
    topics: Topics, source: str, labels: Sequence[Label], support: CommandSupport
) -> Document:
    """The device of a source, with at most MOST_LABELS of its labels."""
    shown = labels[:MOST_LABELS]
    components = discovery.label_states(topics, source, shown)
    components |= discovery.events(topics, source, labels)
    if support.commands:
        components |= discovery.mute(topics, source)
        components |= discovery.thresholds(topics, source, shown)
    if support.commands and support.clips:
        components |= discovery.wrong(topics, source)
    shared = {
        "availability": [
            discovery.station_availability(topics),
            discovery.source_availability(topics, source),
        ],
        "availability_mode": "all",
    }
    identity = discovery.Identity(topics.station, source)
    via = {"via_device": discovery.Identity(topics.station).identifier}
    return _document(identity, "Sound source", via, components) | shared


def station_device(topics: Topics) -> Document:
    """The device of the station itself: its connection and its numbers."""
    diagnostic = {"entity_category": "diagnostic"}
    available = diagnostic | {"availability": [discovery.station_availability(topics)]}
    counted = available | {"platform": "sensor", "state_topic": topics.diagnostics}
    components: dict[str, discovery.Component] = {
        "bundle": available
        | {
            "platform": "sensor",
            "name": "Bundle",
            "icon": "mdi:package-variant",
            "state_topic": topics.bundle,
            "value_template": "{{ value_json.name }}@{{ value_json.version }}",
        },
        "dropped_patches": counted
        | {
            "name": "Dropped patches",
            "icon": "mdi:alert-circle-outline",
            "state_class": "total_increasing",
            "value_template": "{{ value_json.dropped_patches }}",
        },
        "backlog": counted
        | {
            "name": "Waiting messages",
            "icon": "mdi:tray-full",
            "state_class": "measurement",
            "value_template": "{{ value_json.waiting_messages }}",
        },
        "connected": diagnostic  # without availability: off, not unavailable, if the station is gone
        | {
            "platform": "binary_sensor",
            "name": "Connected",
            "device_class": "connectivity",
            "state_topic": topics.status,
            "payload_on": "online",
            "payload_off": "offline",
        },
    }
    return _document(discovery.Identity(topics.station), "Station", {}, components)


def _document(
    identity: discovery.Identity,
    model: str,
    via: dict[str, str],
    components: dict[str, discovery.Component],
) -> Document:
    device = {
        "identifiers": [identity.identifier],
        "name": identity.name,
        "manufacturer": "Earshot",
        "model": model,
        "sw_version": __version__,
    }
    return {
        "device": device | via,
        "origin": {"name": "Earshot", "sw_version": __version__},
        "components": {
            name: component | {"unique_id": identity.unique_id(name)}
            for name, component in components.items()
        },
        "qos": 1,  # also of commands, which are worth an acknowledgement
    }


@pydantic_dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", strict=True))
class Announced:
    """Every device that was ever announced, and every retained topic that its entities read.

    Nothing leaves it when it is removed: nobody knows whether the broker, and then Home Assistant, got
    the removal, so it is sent again at the next start. `devices`: by discovery topic the platform of
    each component.
    """

    devices: dict[str, dict[str, str]]
    states: tuple[str, ...]

    def gone_components(self, topic: str, document: Document) -> dict[str, str]:
        """The platforms of a device's components that no longer exist."""
        known = self.devices.get(topic, {})
        gone = {name: known[name] for name in known if name not in document["components"]}
        return dict(list(gone.items())[-MOST_GONE_COMPONENTS:])

    def gone_devices(self, documents: Mapping[str, Document]) -> list[str]:
        """The discovery topics of devices that no longer exist."""
        return [topic for topic in self.devices if topic not in documents][-MOST_GONE_TOPICS:]

    def gone_states(self, states: Collection[str]) -> list[str]:
        """The retained topics on which nothing is published any more."""
        current = set(states)
        return [topic for topic in self.states if topic not in current][-MOST_GONE_TOPICS:]

    def including(self, documents: Mapping[str, Document], states: Collection[str]) -> Announced:
        """These devices and topics as well."""
        gone = {topic: self.devices[topic] for topic in self.gone_devices(documents)}
        live = {
            topic: self.gone_components(topic, document)
            | {name: component["platform"] for name, component in document["components"].items()}
            for topic, document in documents.items()
        }
        return Announced(gone | live, (*self.gone_states(states), *states))


_ANNOUNCED = TypeAdapter(Announced)


def read_announced(path: Path) -> Announced:
    """What is in the file; nothing if there is none."""
    return read_state(path, _ANNOUNCED, Announced({}, ()), "what Home Assistant knows")


def write_announced(path: Path, announced: Announced) -> None:
    """Save it; if that fails, it is logged, and what is gone later is not removed."""
    try:
        write_state(path, _ANNOUNCED, announced)
    except OSError as error:
        log.warning("%s: what Home Assistant knows is not saved: %s", path, error.strerror)


class Announcer:
    """Publishes discovery documents, retained; `path` keeps what it has announced."""

    def __init__(self, publisher: Publisher, path: Path) -> None:
        self._publisher, self._path = publisher, path
        self._announced = read_announced(path)
        self._documents: dict[str, Document] = {}

    def announce(self, documents: Mapping[str, Document], states: Collection[str]) -> None:
        """Announce these devices, by discovery topic; `states` are the retained topics they read.

        A component that no longer exists is announced with its platform alone, which removes it from
        Home Assistant. A device that no longer exists is removed by an empty document, and so are the
        states of both.
        """
        before = self._announced
        self._announced = before.including(documents, states)
        write_announced(self._path, self._announced)  # first: what is not in it is never removed
        for topic in (*before.gone_devices(documents), *before.gone_states(states)):
            self._publisher.publish(topic, b"", retain=True)
        self._documents = {}
        for topic, document in documents.items():
            gone = before.gone_components(topic, document)
            removals = {name: {"platform": platform} for name, platform in gone.items()}
            components = document["components"] | removals
            self._documents[topic] = document | {"components": components}
        self.repeat()

    def repeat(self) -> None:
        """Publish the same documents once more."""
        for topic, document in self._documents.items():
            self._publisher.publish(topic, to_json(document).encode(), retain=True)
