"""What of a station faces Home Assistant: sinks, and what the main thread looks after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from listener.config.outputs import MqttSettings
from listener.config.station import Config
from listener.detection.bundle import Label
from listener.health import Health
from listener.homeassistant.announcer import Announcer
from listener.homeassistant.birth import BirthWatch
from listener.homeassistant.devices import Offer
from listener.homeassistant.diagnostics import Diagnostics
from listener.mqtt.broker import Broker
from listener.mqtt.topics import Topics
from listener.sinks.frigate import FrigateSink
from listener.sinks.homeassistant import HomeAssistantSink, HomePlan
from listener.sinks.sink import GreetingNotice, Notice, Sink


class Teller(Protocol):
    """The pipeline."""

    def tell(self, notice: Notice) -> None:
        """Hand something to the sinks that did not come out of the sound."""


class Home:
    """Built before the broker starts; `labels` are those that make events.

    A station that has left Home Assistant takes back what it once announced.
    """

    def __init__(
        self, config: Config, broker: Broker | None, labels: Sequence[Label], health: Health
    ) -> None:
        self.sinks: dict[str, Sink] = {}
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
        plan = HomePlan(
            settings.discovery_prefix,
            tuple(source.name for source in config.sources),
            Offer(config.control.mqtt, config.clips.enabled),
        )
        announcer = Announcer(broker, settings.state_file)
        self.sinks["homeassistant"] = HomeAssistantSink(broker, announcer, topics, plan, labels)
        self._birth = BirthWatch()
        broker.subscribe(settings.birth_topic, self._birth.take)
        self._diagnostics = Diagnostics(broker, topics.diagnostics, health)

    def look(self, pipeline: Teller) -> None:
        """Answer Home Assistant's birth, and say how the station is; a few times a second."""
        if self._birth is not None and self._birth.is_due():
            pipeline.tell(GreetingNotice())
        if self._diagnostics is not None:
            self._diagnostics.look()
