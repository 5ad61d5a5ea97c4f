"""The devices of a station as discovery documents: one of its own, and one for each source."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass as dataclass_announced

from listener import __version__
from listener.detection.bundle import Label
from listener.files import read_state, to_json, write_state
from listener.homeassistant.discovery import (
    Component,
    Identity,
    label_states,
    listening,
    mute,
    source_availability,
    station_availability,
    thresholds,
    wrong,
)
from listener.mqtt.broker import Publisher
from listener.mqtt.topics import Topics

log = logging.getLogger(__name__)

MOST_LABELS = 100  # of which each becomes entities: more, and a broker may refuse the message
# What is gone and still known; of more, the oldest are forgotten
MOST_GONE_COMPONENTS = 300  # of a device: they take room in its document
MOST_GONE_TOPICS = 2_000


Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CommandSupport:
    """What people may do from Home Assistant: give commands, and judge clips."""

    commands: bool
    clips: bool


def source_device(
    topics: Topics, source: str, labels: Sequence[Label], offer: CommandSupport
) -> Document:
    """The device of a source, with at most MOST_LABELS of its labels."""
    shown = labels[:MOST_LABELS]
    components = label_states(topics, source, shown) | listening(topics, source, labels)
    if offer.commands:
        components |= mute(topics, source) | thresholds(topics, source, shown)
    if offer.commands and offer.clips:
        components |= wrong(topics, source)
    shared = {
        "availability": [station_availability(topics), source_availability(topics, source)],
        "availability_mode": "all",
    }
    identity = Identity(topics.station, source)
    via = {"via_device": Identity(topics.station).identifier}
    return _document(identity, "Sound source", via, components) | shared


def station_device(topics: Topics) -> Document:
    """The device of the station itself: how it is."""
    available = {"availability": [station_availability(topics)]}
    components = {name: value | available for name, value in _numbers(topics).items()}
    components["connected"] = {  # not unavailable when the station is gone, but off
        "platform": "binary_sensor",
        "name": "Connected",
        "device_class": "connectivity",
        "state_topic": topics.status,
        "payload_on": "online",
        "payload_off": "offline",
    }
    diagnostic = {"entity_category": "diagnostic"}
    components = {name: value | diagnostic for name, value in components.items()}
    return _document(Identity(topics.station), "Station", {}, components)


def _numbers(topics: Topics) -> dict[str, Component]:
    counted = {"platform": "sensor", "state_topic": topics.diagnostics}
    return {
        "bundle": {
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
    }


def _document(
    identity: Identity, model: str, via: dict[str, str], components: dict[str, Component]
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


# What Home Assistant was told of, over restarts: what is gone from it has to be taken back.


_VALUE = ConfigDict(extra="forbid", strict=True)


@dataclass_announced(frozen=True, slots=True, config=_VALUE)
class Announced:
    """Every device that was ever announced, and every retained topic that its entities read.

    Nothing leaves it when it is taken back: whether the broker, and then Home Assistant, heard that is not
    known, so it is taken back again at the next start. `devices`: by discovery topic the platform of each
    component.
    """

    devices: dict[str, dict[str, str]]
    states: tuple[str, ...]

    def gone_components(self, topic: str, document: Document) -> dict[str, str]:
        """The platforms of a device's components that are no more."""
        known = self.devices.get(topic, {})
        gone = {name: known[name] for name in known if name not in document["components"]}
        return dict(list(gone.items())[-MOST_GONE_COMPONENTS:])

    def gone_devices(self, documents: Mapping[str, Document]) -> list[str]:
        """The discovery topics of devices that are no more."""
        return [topic for topic in self.devices if topic not in documents][-MOST_GONE_TOPICS:]

    def gone_states(self, states: Collection[str]) -> list[str]:
        """The retained topics that nothing is published on any more."""
        current = set(states)
        return [topic for topic in self.states if topic not in current][-MOST_GONE_TOPICS:]

    def including(self, documents: Mapping[str, Document], states: Collection[str]) -> Announced:
        """These, too."""
        gone = {topic: self.devices[topic] for topic in self.gone_devices(documents)}
        live = {
            topic: self.gone_components(topic, document) | _platforms(document)
            for topic, document in documents.items()
        }
        return Announced(gone | live, (*self.gone_states(states), *states))


def _platforms(document: Document) -> dict[str, str]:
    return {name: component["platform"] for name, component in document["components"].items()}


_ANNOUNCED = TypeAdapter(Announced)


def read_announced(path: Path) -> Announced:
    """What the file knows; nothing if there is none."""
    return read_state(path, _ANNOUNCED, Announced({}, ()), "what Home Assistant was told of")


def write_announced(path: Path, announced: Announced) -> None:
    """Remember it; a disk that fails is logged, and costs no more than the taking back."""
    try:
        write_state(path, _ANNOUNCED, announced)
    except OSError as error:
        log.warning("%s: what Home Assistant is told of is not kept: %s", path, error.strerror)


# Announces devices, and takes back those that are gone.


class Announcer:
    """Publishes discovery documents, retained; `path` keeps what it has announced."""

    def __init__(self, publisher: Publisher, path: Path) -> None:
        self._publisher, self._path = publisher, path
        self._announced = read_announced(path)
        self._documents: dict[str, Document] = {}

    def announce(self, documents: Mapping[str, Document], states: Collection[str]) -> None:
        """These devices, by discovery topic, and no others; `states` are the retained topics they read.

        A component that is no more is announced with its platform alone, which is how Home Assistant is
        told to remove it; a device that is no more by an empty document. So are the states of both.
        """
        before = self._announced
        self._announced = before.including(documents, states)
        write_announced(
            self._path, self._announced
        )  # first: what it does not know is never taken back
        for topic in (*before.gone_devices(documents), *before.gone_states(states)):
            self._publisher.publish(topic, b"", retain=True)
        self._documents = {
            topic: _with_gone(document, before.gone_components(topic, document))
            for topic, document in documents.items()
        }
        self.repeat()

    def repeat(self) -> None:
        """Announce the same once more."""
        for topic, document in self._documents.items():
            self._publisher.publish(topic, to_json(document).encode(), retain=True)


def _with_gone(document: Document, gone: Mapping[str, str]) -> Document:
    removals = {name: {"platform": platform} for name, platform in gone.items()}
    return document | {"components": document["components"] | removals}
