"""Announces devices, and takes back those that are gone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from listener.documents import to_json
from listener.homeassistant.announced import read_announced, write_announced
from listener.homeassistant.devices import Document
from listener.mqtt.broker import Publisher


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
