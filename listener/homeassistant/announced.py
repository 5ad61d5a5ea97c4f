"""What Home Assistant was told of, over restarts: what is gone from it has to be taken back."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from listener.homeassistant.devices import Document
from listener.state_file import read_state, write_state

log = logging.getLogger(__name__)

# What is gone and still known; of more, the oldest are forgotten
MOST_GONE_COMPONENTS = 300  # of a device: they take room in its document
MOST_GONE_TOPICS = 2_000

_VALUE = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, slots=True, config=_VALUE)
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
