"""Keeps Home Assistant up to date: devices and entities, the last events, mutes and thresholds."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from random import uniform
from typing import Any

from listener.config.station import Config
from listener.detection.bundle import Label
from listener.files import to_json
from listener.health import Health
from listener.homeassistant import devices, discovery
from listener.mqtt.broker import Broker, Publisher
from listener.mqtt.messages import InboundMessage
from listener.mqtt.topics import Topics
from listener.sinks import frigate, sink
from listener.sinks.event_document import event_document, label_names

log = logging.getLogger(__name__)

JITTER_SECONDS = 3.0  # or all devices of a house would answer Home Assistant's birth at once
INTERVAL_SECONDS = 10.0  # between two publications of the diagnostics, at least


class HomeAssistantBridge:
    """The sinks for Home Assistant, and the work of the main thread for it.

    Built before the broker starts; `labels` are those that make events. A station that no longer uses
    Home Assistant removes what it once announced.
    """

    def __init__(
        self, config: Config, broker: Broker | None, labels: Sequence[Label], health: Health
    ) -> None:
        self.sinks: dict[str, sink.Sink] = {}
        self.notify: Callable[[sink.Notice], None] = lambda _: None
        """Hands a notice to the sinks; the pipeline's, once it is built."""
        self._birth: BirthWatch | None = None
        self._diagnostics: Diagnostics | None = None
        if broker is None or config.mqtt is None:
            return
        settings, topics = config.homeassistant, Topics(config.mqtt.topic_prefix, config.station)
        if settings.enabled:
            plan = DiscoveryPlan(
                settings.discovery_prefix,
                tuple(source.name for source in config.sources),
                devices.CommandSupport(config.control.mqtt, config.clips.enabled),
            )
            announcer = devices.Announcer(broker, settings.state_file)
            self.sinks["homeassistant"] = HomeAssistantSink(broker, announcer, topics, plan, labels)
            self._birth = BirthWatch()
            broker.subscribe(settings.birth_topic, self._birth.receive)
            self._diagnostics = Diagnostics(broker, topics.diagnostics, health)
        elif settings.state_file.exists():
            devices.Announcer(broker, settings.state_file).announce({}, ())
        if settings.frigate_mirror:
            self.sinks["frigate"] = frigate.FrigateSink(
                broker, settings.frigate_mirror, config.mqtt.level_interval_seconds
            )

    def tick(self) -> None:
        """Answer Home Assistant's birth and publish the diagnostics; a few times a second."""
        if self._birth is not None and self._birth.is_due():
            self.notify(sink.BirthNotice())
        if self._diagnostics is not None:
            self._diagnostics.tick()


@dataclass(frozen=True, slots=True)
class DiscoveryPlan:
    """What is announced, and where: the sources (slugs) and what people may do with them."""

    discovery_prefix: str
    sources: tuple[str, ...]
    support: devices.CommandSupport


class HomeAssistantSink:
    """Announces a device for the station and one for each source, at once and whenever that changes.

    `labels` are those that make events. Events, states and levels come from the MQTT sink; this one adds
    what else entities read, retained: `last`, `muted` and `threshold`.
    """

    accepts = (sink.BirthNotice, sink.BundleNotice, sink.EventNotice, sink.OverridesNotice)

    def __init__(
        self,
        publisher: Publisher,
        announcer: devices.Announcer,
        topics: Topics,
        plan: DiscoveryPlan,
        labels: Sequence[Label],
    ) -> None:
        self._publisher, self._announcer = publisher, announcer
        self._topics, self._plan = topics, plan
        self._last: dict[str, str] = {}  # by source the id of the event that started last
        self._overrides: dict[str, str] = {}  # by topic the last payload of mutes and thresholds
        self._announce(labels)

    def handle(self, notice: sink.Notice) -> None:
        """Publish what has changed; does not block."""
        match notice:
            case sink.BundleNotice():
                names = label_names(notice.manifest, notice.groups)
                self._announce([Label(slug, names[slug]) for slug in notice.labels])
            case sink.EventNotice(event, _, clip):
                if event.offset is None:
                    self._last[event.source] = event.id
                if self._last.get(event.source) == event.id:  # an earlier event is not shown again
                    name = self._names[event.label]
                    document = event_document(event, self._topics.station, name, clip)
                    self._retain(self._topics.last(event.source), to_json(document))
            case sink.BirthNotice():
                self._announcer.repeat()
            case sink.OverridesNotice():
                self._publish_overrides(notice)

    def close(self) -> None:
        """Nothing to flush."""

    def _announce(self, labels: Sequence[Label]) -> None:
        if len(labels) > devices.MOST_LABELS:
            log.warning(
                "homeassistant: expected at most %d labels, got %d: the first become entities; "
                "choose with [labels] or detection.labels",
                devices.MOST_LABELS,
                len(labels),
            )
        self._names = {label.slug: label.name for label in labels}
        topics, prefix, slugs = self._topics, self._plan.discovery_prefix, list(self._names)
        # the station first: the sources' devices refer to it
        documents = {
            discovery.Identity(topics.station).config_topic(prefix): devices.station_device(topics)
        }
        states: list[str] = []  # the retained topics of the sources, also those of the MQTT sink
        for source in self._plan.sources:
            config_topic = discovery.Identity(topics.station, source).config_topic(prefix)
            documents[config_topic] = devices.source_device(
                topics, source, labels, self._plan.support
            )
            states += [topics.source_status(source), topics.bandwidth(source)]
            states += [topics.last(source), topics.muted(source)]
            states += [topics.state(source, slug) for slug in slugs]
            states += [topics.threshold(source, slug) for slug in slugs]
        self._announcer.announce(documents, states)

    def _publish_overrides(self, notice: sink.OverridesNotice) -> None:
        overrides = {
            self._topics.threshold(source, label): f"{on:g}"
            for source, thresholds in notice.thresholds.items()
            for label, on in thresholds.items()
        }
        for source in notice.thresholds:
            overrides[self._topics.muted(source)] = "ON" if source in notice.muted else "OFF"
        # an empty payload: the broker forgets the topic
        gone = dict.fromkeys(self._overrides.keys() - overrides.keys(), "")
        for topic, payload in (gone | overrides).items():
            if self._overrides.get(topic) != payload:
                self._retain(topic, payload)
        self._overrides = overrides

    def _retain(self, topic: str, payload: str) -> None:
        self._publisher.publish(topic, payload.encode(), retain=True)


class BirthWatch:
    """Receives Home Assistant's birth messages on one thread, and says on another when to answer.

    A birth means that Home Assistant has started and needs every device once more.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._births: SimpleQueue[float] = SimpleQueue()
        self._due_at: float | None = None

    def receive(self, message: InboundMessage) -> None:
        """A message on the birth topic, which is also that of its will; on any thread."""
        if message.payload == b"online":
            self._births.put(self._now() + uniform(0.0, JITTER_SECONDS))

    def is_due(self) -> bool:
        """Whether to answer now: once, a moment after the latest birth."""
        for _ in range(self._births.qsize()):  # one thread alone takes from it
            self._due_at = self._births.get_nowait()
        if self._due_at is None or self._now() < self._due_at:
            return False
        self._due_at = None
        return True


class Diagnostics:
    """Publishes a few numbers of the station, retained, when they have changed, but not too often."""

    def __init__(
        self,
        publisher: Publisher,
        topic: str,
        health: Health,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher, self._topic, self._health, self._now = publisher, topic, health, now
        self._published: dict[str, Any] | None = None
        self._published_at = 0.0

    def tick(self) -> None:
        """Publish them if it is time; a few times a second."""
        now = self._now()
        if self._published is not None and now - self._published_at < INTERVAL_SECONDS:
            return
        document = diagnostics_document(self._health)
        if document != self._published:
            self._publisher.publish(self._topic, to_json(document).encode(), retain=True)
            self._published, self._published_at = document, now


def diagnostics_document(health: Health) -> dict[str, int]:
    """Patches that were dropped since the start, and messages that wait for the broker."""
    return {
        "dropped_patches": sum(source.dropped for source in health.sources.copy().values()),
        "waiting_messages": 0 if health.outbox is None else health.outbox.events,
    }
