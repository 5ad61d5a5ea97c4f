"""MQTT messages to and from a station, and the protocols between the outbox and its transport."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from paho.mqtt.client import Client, MQTTMessage, topic_matches_sub
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

MAX_PACKET_BYTES = 64 * 1024  # the broker drops what is larger (MQTT 5)
RECEIVE_MAXIMUM = 20  # messages that the broker may send before it has our acknowledgement


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A message as it arrived: nothing in it can be trusted.

    `retained`: its publisher asked the broker to keep it. `response_topic` and `correlation` are those
    of MQTT 5.
    """

    topic: str
    payload: bytes
    retained: bool
    response_topic: str | None
    correlation: bytes | None

    @classmethod
    def from_paho(cls, message: MQTTMessage) -> InboundMessage:
        """Paho's message as a value."""
        return cls(
            message.topic,
            bytes(message.payload),
            message.retain,
            getattr(message.properties, "ResponseTopic", None),
            getattr(message.properties, "CorrelationData", None),
        )


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """A message of the outbox, to be sent once (QoS 1) on the connection of that number or not at all.

    `alone`: only while nothing else is unacknowledged, so that it is known what broke the connection.
    """

    connection: int
    key: int
    topic: str
    payload: bytes
    alone: bool = False


class Transport(Protocol):
    """Takes the outbox's messages to their receiver; never blocks."""

    def send(self, message: OutboundMessage) -> None:
        """Send it, in the order of the calls; dropped if its connection is not the current one."""


class DeliveryListener(Protocol):
    """Learns what happens to the messages; called on the transport's thread, never blocks."""

    def connected(self, connection: int, max_packet_bytes: int | None) -> None:
        """There is a new connection, and a harmless message has been acknowledged on it."""

    def answered(self, key: int, refusal: str | None) -> None:
        """The receiver has acknowledged a message, or says why it refuses it."""

    def lost(self, *, suspect: bool) -> None:
        """The connection is gone, and with it every message that was not answered.

        `suspect`: the broker ended it just after a message that was sent alone.
        """


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic filter and the handler of its messages; `others_only`: not our own messages (MQTT 5)."""

    topic: str
    handler: Callable[[InboundMessage], None]
    others_only: bool = False

    def subscribe(self, client: Client) -> None:
        """Ask the broker for it: no old messages, and with the flag for retained ones (MQTT 5)."""
        if client.protocol == MQTTProtocolVersion.MQTTv5:
            options = SubscribeOptions(
                qos=1,
                noLocal=self.others_only,
                retainAsPublished=True,
                retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND,
            )
            client.subscribe(self.topic, options=options)
        elif not self.others_only:
            client.subscribe(self.topic, qos=1)

    def deliver(self, message: InboundMessage) -> None:
        """Give a message to the handler if its topic matches."""
        if topic_matches_sub(self.topic, message.topic):
            self.handler(message)


def connect_properties(client: Client) -> Properties | None:
    """How large a message may be, and how many may be in flight; None where the protocol has no limits."""
    if client.protocol != MQTTProtocolVersion.MQTTv5:
        return None
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = MAX_PACKET_BYTES
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    return properties


def correlation_properties(correlation: bytes | None) -> Properties | None:
    """What tells the requester which of its messages is answered; None without a correlation."""
    if correlation is None:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.CorrelationData = correlation
    return properties
