"""A subscriber that takes its time; and paho alone, as a program without an outbox uses it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.rigs.mosquitto import wait_until

_PAUSE_EVERY = 1000  # messages


def make_client(name: str) -> Client:
    """MQTT 5, otherwise as paho comes."""
    return Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)


class SlowSubscriber:
    """Acknowledges a message after `seconds`, and pauses for `pause_seconds` now and then."""

    def __init__(self, seconds: float, pause_seconds: float) -> None:
        self.topics: list[str] = []
        self.payloads: list[bytes] = []
        self.subscribed = threading.Event()
        self._seconds, self._pause_seconds = seconds, pause_seconds

    def on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        """Take it, slowly."""
        self.topics.append(message.topic)
        self.payloads.append(bytes(message.payload))
        paused = len(self.payloads) % _PAUSE_EVERY == 0
        time.sleep(self._pause_seconds if paused else self._seconds)

    def on(self, *topics: str) -> list[dict[str, Any]]:
        """What came on some topics."""
        pairs = zip(self.topics, self.payloads, strict=False)
        return [json.loads(payload) for topic, payload in pairs if topic in topics]

    @property
    def documents(self) -> list[dict[str, Any]]:
        """What came, with what came twice."""
        return [json.loads(payload) for payload in self.payloads.copy()]

    def wait_for(self, count: int, seconds: float) -> None:
        """Wait until so many have come."""
        wait_until(lambda: len(self.payloads) >= count, seconds, f"{count} messages")

    def wait_for_rest(self, still_seconds: float) -> None:
        """Wait until nothing has come for so long."""
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < still_seconds:
            if len(self.payloads) != seen:
                seen, since = len(self.payloads), time.monotonic()
            time.sleep(0.05)


@contextmanager
def slow_subscriber(
    port: int, topic: str, seconds: float = 0.0, pause_seconds: float = 0.0
) -> Iterator[SlowSubscriber]:
    """Subscribed with QoS 1."""
    subscriber = SlowSubscriber(seconds, pause_seconds)
    client = make_client("subscriber")
    client.on_message = subscriber.on_message
    client.on_connect = lambda client, *_: client.subscribe(topic, 1)
    client.on_subscribe = lambda *_: subscriber.subscribed.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert subscriber.subscribed.wait(20.0)
        yield subscriber
    finally:
        client.disconnect()
        client.loop_stop()


class BarePaho:
    """Publishes with nothing but paho's own queue."""

    def __init__(self, port: int) -> None:
        self._client = make_client("bare")
        self._client.reconnect_delay_set(1, 1)
        self._client.connect_async("127.0.0.1", port)
        self.acknowledged = 0
        self._client.on_publish = self._on_publish

    def _on_publish(self, *_: Any) -> None:
        self.acknowledged += 1

    def publish(self, topic: str, documents: Sequence[dict[str, Any]]) -> None:
        """Put into paho's queue."""
        for document in documents:
            self._client.publish(topic, json.dumps(document).encode(), 1)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Its network thread."""
        self._client.loop_start()
        try:
            yield
        finally:
            self._client.disconnect()
            self._client.loop_stop()
