"""Messages that come to the station: bounded, never retained, with the topic to answer to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

MAX_PACKET_BYTES = 64 * 1024  # the broker drops what is larger (MQTT 5)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it came: nothing in it is to be trusted.

    `retained`: it was published to be kept. `response_topic` and `correlation` are those of MQTT 5.
    """

    topic: str
    payload: bytes
    retained: bool
    response_topic: str | None
    correlation: bytes | None


class Subscription:
    """A topic that is asked for on every connection, and who takes its messages."""

    def __init__(self, topic: str, take: Callable[[Incoming], None]) -> None:
        self._topic, self._take = topic, take

    def ask_for(self, client: Client) -> None:
        """Subscribe; a broker of MQTT 5 sends nothing old and says what was meant to be kept."""
        if client.protocol == MQTTProtocolVersion.MQTTv5:
            options = SubscribeOptions(
                qos=1,
                retainAsPublished=True,
                retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND,
            )
            client.subscribe(self._topic, options=options)
        else:
            client.subscribe(self._topic, qos=1)

    def on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        """Hand it over."""
        properties = message.properties
        self._take(
            Incoming(
                message.topic,
                bytes(message.payload),
                message.retain,
                getattr(properties, "ResponseTopic", None),
                getattr(properties, "CorrelationData", None),
            )
        )


def connect_properties(client: Client) -> Properties | None:
    """How large a message may be; None where the protocol cannot say it."""
    if client.protocol != MQTTProtocolVersion.MQTTv5:
        return None
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = MAX_PACKET_BYTES
    return properties


def answer_properties(correlation: bytes | None) -> Properties | None:
    """With them the asker knows which of its messages is answered."""
    if correlation is None:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.CorrelationData = correlation
    return properties
