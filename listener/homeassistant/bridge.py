"""What of a station faces Home Assistant: sinks, and what the main thread looks after."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from random import uniform
from typing import Any

from listener.config.outputs import MqttSettings
from listener.config.station import Config
from listener.detection.bundle import Label
from listener.files import to_json
from listener.health import Health
from listener.homeassistant.devices import (
    MOST_LABELS,
    Announcer,
    CommandSupport,
    Document,
    source_device,
    station_device,
)
from listener.homeassistant.discovery import Identity
from listener.mqtt.broker import Broker, Publisher
from listener.mqtt.messages import InboundMessage
from listener.mqtt.topics import Topics
from listener.sinks.event_document import event_document, label_names
from listener.sinks.frigate import FrigateSink
from listener.sinks.sink import (
    BundleNotice,
    EventNotice,
    GreetingNotice,
    Notice,
    OverridesNotice,
    Sink,
)

log = logging.getLogger(__name__)

# A house full of devices that all answer at once would drown it
JITTER_SECONDS = 3.0
INTERVAL_SECONDS = 10.0


# Home Assistant's birth message: it has started, and wants to hear of every device once more.


class BirthWatch:
    """Takes birth messages on the connection's thread, and says on another when to answer."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._births: SimpleQueue[float] = SimpleQueue()
        self._due_at: float | None = None

    def take(self, message: InboundMessage) -> None:
        """A message on the birth topic, which is also that of its will; on any thread."""
        if message.payload == b"online":
            self._births.put(self._now() + uniform(0.0, JITTER_SECONDS))

    def is_due(self) -> bool:
        """Whether to answer now: once, a moment after the latest birth."""
        for _ in range(self._births.qsize()):
            try:
                self._due_at = self._births.get_nowait()
            except Empty:
                break
        if self._due_at is None or self._now() < self._due_at:
            return False
        self._due_at = None
        return True


# How the station is, in a few numbers for its device in Home Assistant.


class Diagnostics:
    """Publishes the numbers, retained, when they have changed, and not too often."""

    def __init__(
        self,
        publisher: Publisher,
        topic: str,
        health: Health,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher, self._topic, self._health, self._now = publisher, topic, health, now
        self._said: dict[str, Any] | None = None
        self._said_at = 0.0

    def tick(self) -> None:
        """Publish them, if it is time; a few times a second."""
        now = self._now()
        if self._said is not None and now - self._said_at < INTERVAL_SECONDS:
            return
        document = diagnostics_document(self._health)
        if document != self._said:
            self._publisher.publish(self._topic, to_json(document).encode(), retain=True)
            self._said, self._said_at = document, now


def diagnostics_document(health: Health) -> dict[str, int]:
    """Patches that were dropped since the start, and messages that wait for the broker."""
    return {
        "dropped_patches": sum(source.dropped for source in health.sources.copy().values()),
        "waiting_messages": 0 if health.outbox is None else health.outbox.events,
    }


# Devices and entities of Home Assistant, kept true: what there is, what was heard last, what is muted.


@dataclass(frozen=True, slots=True)
class DiscoveryPlan:
    """What is announced, and where: the sources (slugs) and what may be done with them."""

    discovery_prefix: str
    sources: tuple[str, ...]
    offer: CommandSupport


class HomeAssistantSink:
    """Announces a device for the station and one for each source, at once and whenever that changes.

    `labels` are those that make events. Events, states and levels come from the MQTT sink; this one adds
    what entities read beside them, retained: `last`, `muted` and `threshold`.
    """

    takes = (BundleNotice, EventNotice, GreetingNotice, OverridesNotice)

    def __init__(
        self,
        publisher: Publisher,
        announcer: Announcer,
        topics: Topics,
        plan: DiscoveryPlan,
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
            case OverridesNotice():
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

    def _tell_rules(self, notice: OverridesNotice) -> None:
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


class HomeAssistantBridge:
    """Built before the broker starts; `labels` are those that make events.

    A station that has left Home Assistant takes back what it once announced.
    """

    def __init__(
        self, config: Config, broker: Broker | None, labels: Sequence[Label], health: Health
    ) -> None:
        self.sinks: dict[str, Sink] = {}
        self.notify: Callable[[Notice], None] = lambda _: None
        """Hands a notice to the sinks; the pipeline's, once it is built."""
        self._birth: BirthWatch | None = None
        self._diagnostics: Diagnostics | None = None
        if broker is None or config.mqtt is None:
            return
        settings = config.homeassistant
        if settings.enabled:
            self._enter(config, config.mqtt, broker, labels, health)
        elif settings.state_file.exists():
            Announcer(broker, settings.state_file).announce({}, ())
        if settings.frigate_mirror:
            self.sinks["frigate"] = FrigateSink(
                broker, settings.frigate_mirror, config.mqtt.level_interval_seconds
            )

    def _enter(
        self,
        config: Config,
        mqtt: MqttSettings,
        broker: Broker,
        labels: Sequence[Label],
        health: Health,
    ) -> None:
        settings, topics = config.homeassistant, Topics(mqtt.topic_prefix, config.station)
        plan = DiscoveryPlan(
            settings.discovery_prefix,
            tuple(source.name for source in config.sources),
            CommandSupport(config.control.mqtt, config.clips.enabled),
        )
        announcer = Announcer(broker, settings.state_file)
        self.sinks["homeassistant"] = HomeAssistantSink(broker, announcer, topics, plan, labels)
        self._birth = BirthWatch()
        broker.subscribe(settings.birth_topic, self._birth.take)
        self._diagnostics = Diagnostics(broker, topics.diagnostics, health)

    def tick(self) -> None:
        """Answer Home Assistant's birth, and say how the station is; a few times a second."""
        if self._birth is not None and self._birth.is_due():
            self.notify(GreetingNotice())
        if self._diagnostics is not None:
            self._diagnostics.tick()
