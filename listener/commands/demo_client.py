"""An MQTT client outside the demo's station: it knows the broker and the topics, and nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from listener.commands.demo_scene import HeardEvent
from listener.config.station import Config, ConfigError

_REFRESH_SECONDS = 0.25


class DemoClient:
    """Subscribes to the events of a station. A context.

    Raises:
        ConfigError: there is no broker in the config.
    """

    def __init__(self, config: Config) -> None:
        mqtt = config.mqtt
        if mqtt is None:
            raise ConfigError("mqtt: the demo needs a broker")
        self._messages: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.connect(mqtt.host, mqtt.port)
        self._client.subscribe(f"{mqtt.topic_prefix}/{config.station}/+/event", qos=1)

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        self._messages.put(json.loads(message.payload))

    def events(self, began_at: float, seconds: float) -> Iterator[HeardEvent | None]:
        """Events as they begin and end, and None now and then, until so long after `began_at`."""
        while time.time() < began_at + seconds:
            try:
                yield _heard_event(self._messages.get(timeout=_REFRESH_SECONDS), began_at)
            except Empty:
                yield None


def _heard_event(document: dict[str, Any], began_at: float) -> HeardEvent:
    onset = _seconds(document["onset"], began_at)
    offset = None if document["offset"] is None else _seconds(document["offset"], began_at)
    return HeardEvent(document["id"], document["label"], onset, offset, document["peak_score"])


def _seconds(moment: str, began_at: float) -> float:
    return datetime.fromisoformat(moment).timestamp() - began_at
