"""Devices and entities of Home Assistant, kept true: what there is, what was heard last, what is muted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from listener.detection.bundle import Label
from listener.documents import to_json
from listener.homeassistant.announcer import Announcer
from listener.homeassistant.devices import (
    MOST_LABELS,
    Document,
    Offer,
    source_device,
    station_device,
)
from listener.homeassistant.identity import Identity
from listener.mqtt.broker import Publisher
from listener.mqtt.topics import Topics
from listener.sinks.event_document import event_document, label_names
from listener.sinks.sink import BundleNotice, EventNotice, GreetingNotice, Notice, RulesNotice

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HomePlan:
    """What is announced, and where: the sources (slugs) and what may be done with them."""

    discovery_prefix: str
    sources: tuple[str, ...]
    offer: Offer


class HomeAssistantSink:
    """Announces a device for the station and one for each source, at once and whenever that changes.

    `labels` are those that make events. Events, states and levels come from the MQTT sink; this one adds
    what entities read beside them, retained: `last`, `muted` and `threshold`.
    """

    takes = (BundleNotice, EventNotice, GreetingNotice, RulesNotice)

    def __init__(
        self,
        publisher: Publisher,
        announcer: Announcer,
        topics: Topics,
        plan: HomePlan,
        labels: Sequence[Label],
    ) -> None:
        self._publisher, self._announcer = publisher, announcer
        self._topics, self._plan = topics, plan
        self._last: dict[str, str] = {}  # by source the id of the event that began last
        self._rules: dict[str, str] = {}  # by topic what was said of mutes and thresholds
        self._announce(labels)

    def handle(self, notice: Notice) -> None:
        """Publish what has changed; does not block."""
        match notice:
            case BundleNotice():
                names = label_names(notice.manifest, notice.groups)
                self._announce([Label(slug, names[slug]) for slug in notice.labels])
            case EventNotice():
                self._tell_last(notice)
            case GreetingNotice():
                self._announcer.repeat()
            case RulesNotice():
                self._tell_rules(notice)

    def close(self) -> None:
        """Nothing is kept back here."""

    def _announce(self, labels: Sequence[Label]) -> None:
        if len(labels) > MOST_LABELS:
            log.warning(
                "homeassistant: expected at most %d labels, got %d: the first become entities; "
                "choose with [labels] or detection.labels",
                MOST_LABELS,
                len(labels),
            )
        self._names = {label.slug: label.name for label in labels}
        documents = {
            self._config_topic(None): station_device(self._topics)
        }  # before what is behind it
        for source in self._plan.sources:
            documents[self._config_topic(source)] = self._source_device(source, labels)
        self._announcer.announce(documents, self._states(labels))

    def _config_topic(self, source: str | None) -> str:
        return Identity(self._topics.station, source).config_topic(self._plan.discovery_prefix)

    def _source_device(self, source: str, labels: Sequence[Label]) -> Document:
        return source_device(self._topics, source, labels, self._plan.offer)

    def _states(self, labels: Sequence[Label]) -> list[str]:
        """The retained topics of the sources, also those of the MQTT sink."""
        topics = self._topics
        return [
            topic
            for source in self._plan.sources
            for topic in (
                topics.source_status(source),
                topics.last(source),
                topics.muted(source),
                *(topics.state(source, label.slug) for label in labels),
                *(topics.threshold(source, label.slug) for label in labels),
            )
        ]

    def _tell_last(self, notice: EventNotice) -> None:
        event = notice.event
        if event.offset is None:
            self._last[event.source] = event.id
        if self._last.get(event.source) != event.id:
            return  # one that began before the last one has ended
        document = event_document(
            event, self._topics.station, self._names[event.label], notice.clip
        )
        self._retain(self._topics.last(event.source), to_json(document))

    def _tell_rules(self, notice: RulesNotice) -> None:
        said = {
            self._topics.threshold(source, label): f"{on:g}"
            for source, thresholds in notice.thresholds.items()
            for label, on in thresholds.items()
        }
        for source in notice.thresholds:
            said[self._topics.muted(source)] = "ON" if source in notice.muted else "OFF"
        gone = dict.fromkeys(self._rules.keys() - said.keys(), "")  # empty: the broker forgets it
        for topic, payload in (gone | said).items():
            if self._rules.get(topic) != payload:
                self._retain(topic, payload)
        self._rules = said

    def _retain(self, topic: str, payload: str) -> None:
        self._publisher.publish(topic, payload.encode(), retain=True)
