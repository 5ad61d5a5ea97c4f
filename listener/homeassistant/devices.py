"""The devices of a station as discovery documents: one of its own, and one for each source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from listener import __version__
from listener.detection.bundle import Label
from listener.homeassistant.components import (
    Component,
    label_states,
    listening,
    mute,
    source_availability,
    station_availability,
    thresholds,
    wrong,
)
from listener.homeassistant.identity import Identity
from listener.mqtt.topics import Topics

Document = dict[str, Any]

MOST_LABELS = 100  # of which each becomes entities: more, and a broker may refuse the message


@dataclass(frozen=True, slots=True)
class Offer:
    """What people may do from Home Assistant: give commands, and judge clips."""

    commands: bool
    clips: bool


def source_device(topics: Topics, source: str, labels: Sequence[Label], offer: Offer) -> Document:
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
