"""The one MQTT connection: will, reconnect with back-off, retained state."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, Protocol

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from listener.config import MqttSettings
from listener.health import Health
from listener.mqtt.client import describe, make_client, stop_client
from listener.mqtt.incoming import Incoming, Subscription, answer_properties, connect_properties

log = logging.getLogger(__name__)

ONLINE, OFFLINE = b"online", b"offline"
KEEPALIVE_SECONDS = 15
CLOSE_SECONDS = 1.0


class Publisher(Protocol):
    """Takes messages for the broker; never blocks."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Send a message, now or when there is a connection.

        The newest retained payload of each topic is published again on every connection; each such
        topic belongs to one thread. A QoS 0 message without a connection is lost.
        """


class Broker:
    """Publishes for a station, whose `status` is `online` while there is a connection.

    Nothing here holds a lock around paho's publish(): paho calls back holding the lock that
    publish() takes. Callbacks share single references and the retained payloads with other threads.

    Raises:
        BrokerError: a host name that is none, a password or TLS file that cannot be read.
    """

    def __init__(
        self, settings: MqttSettings, client_id: str, status_topic: str, health: Health
    ) -> None:
        self._settings = settings
        self._address = f"{settings.host}:{settings.port}"
        self._status_topic = status_topic
        self._health = health
        self._retained: dict[str, bytes] = {status_topic: ONLINE}
        self._reported: set[str] = set()  # of this episode; only the network thread touches it
        self._queue_full = False
        self._closing = False
        self.on_connected: Callable[[], None] = _nothing
        """Called on the network thread after each connection: put into a queue, set an event."""
        self._subscription: Subscription | None = None
        self._client = self._make_client(client_id)
        health.mqtt_connected = False

    def _make_client(self, client_id: str) -> Client:
        client = make_client(self._settings, client_id)
        client.will_set(self._status_topic, OFFLINE, qos=1, retain=True)
        client.on_pre_connect = self._on_pre_connect
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection and it is not known to be lost."""
        return self._health.mqtt_connected is True

    def start(self) -> None:
        """Connect, now or later: a broker that cannot be reached is logged and tried again."""
        self._client.connect_async(
            self._settings.host,
            self._settings.port,
            KEEPALIVE_SECONDS,
            properties=connect_properties(self._client),
        )
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Send a message, now or when there is a connection; see Publisher."""
        if retain:
            self._retained[topic] = payload
            if not self.connected:
                return  # _on_connect sends it
        info = self._client.publish(topic, payload, qos, retain)
        queue_full = info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE
        if queue_full:
            self._health.mqtt_dropped += 1
            if not self._queue_full:
                log.warning("mqtt %s: queue full, the newest messages are lost", self._address)
        self._queue_full = queue_full

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Answer a message; `correlation` is what it gave to be known by (MQTT 5)."""
        self._client.publish(topic, payload, 1, properties=answer_properties(correlation))

    def subscribe(self, topic: str, take: Callable[[Incoming], None]) -> None:
        """Hand over every message of a topic (QoS 1), from the next connection on; call it once.

        `take` is called on the network thread: put into a queue.
        """
        self._subscription = Subscription(topic, take)
        self._client.on_message = self._subscription.on_message

    def close(self) -> None:
        """Publish `offline`, wait for what is in flight, disconnect; two seconds at most."""
        self._closing = True
        if self.connected and not self._publish_offline():
            log.warning("mqtt %s: closed before everything was sent", self._address)
        stop_client(self._client, CLOSE_SECONDS)

    def _publish_offline(self) -> bool:
        info = self._client.publish(self._status_topic, OFFLINE, 1, retain=True)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        info.wait_for_publish(CLOSE_SECONDS)  # acknowledged in order: this is the last one
        return info.is_published()

    def _on_pre_connect(self, client: Client, _userdata: Any) -> None:
        # Retained values that wait since the last connection may be old and would be sent after the
        # newest, which _on_connect sends. Events stay, in their order.
        for message in client.drop_out_messages():
            if not message.retain:
                client.publish(
                    message.topic, message.payload, message.qos, properties=message.properties
                )

    def _on_connect(
        self,
        _client: Client,
        _userdata: Any,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._report(f"refused by the broker: {reason}")
            return
        self._reported.clear()
        self._health.mqtt_connected = True  # before the retained values: see publish()
        log.info("mqtt %s: connected", self._address)
        for topic in self._retained.copy():
            self._publish_newest(topic)
        if self._subscription is not None:
            self._subscription.ask_for(self._client)
        self.on_connected()

    def _publish_newest(self, topic: str) -> None:
        # Without a lock: whoever changes the value meanwhile publishes it too, perhaps before this
        # older one is out, so look again until what was sent is what is true.
        sent: bytes | None = None
        while sent is not (payload := self._retained[topic]):
            self._client.publish(topic, payload, 1, retain=True)
            sent = payload

    def _on_connect_fail(self, _client: Client, _userdata: Any) -> None:
        self._report(describe(sys.exc_info()[1]))  # paho calls this while it handles the error

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: Any,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        was_connected = self.connected
        self._health.mqtt_connected = False
        if self._closing:
            return
        if was_connected:
            self._report(f"connection lost: {reason}")
        elif not self._reported:  # a refusal was reported with its reason already
            self._report(f"closed before the broker answered: {reason}")

    def _on_publish(
        self,
        _client: Client,
        _userdata: Any,
        _mid: int,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._health.mqtt_refused += 1
            self._report(f"message refused by the broker: {reason}")

    def _report(self, problem: str) -> None:
        """Log a problem, once until the next connection."""
        if problem not in self._reported:
            self._reported.add(problem)
            log.warning("mqtt %s: %s", self._address, problem)


def _nothing() -> None:
    pass
