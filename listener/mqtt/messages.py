"""Messages that come to the station: bounded, never retained, with the topic to answer to."""

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
    """A message as it came: nothing in it is to be trusted.

    `retained`: it was published to be kept. `response_topic` and `correlation` are those of MQTT 5.
    """

    topic: str
    payload: bytes
    retained: bool
    response_topic: str | None
    correlation: bytes | None


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic filter, and who takes its messages; `others_only`: not those of our own (MQTT 5)."""

    topic: str
    take: Callable[[InboundMessage], None]
    others_only: bool = False

    def ask_for(self, client: Client) -> None:
        """Subscribe; a broker of MQTT 5 sends nothing old and says what was meant to be kept."""
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


class Subscriptions:
    """What is asked for on every connection."""

    def __init__(self) -> None:
        self._all: list[Subscription] = []

    def add(self, subscription: Subscription) -> None:
        """From the next connection on."""
        self._all.append(subscription)

    def ask_for_all(self, client: Client) -> None:
        """Subscribe."""
        for subscription in self._all:
            subscription.ask_for(client)

    def deliver(self, message: InboundMessage) -> None:
        """Hand a message over to whom it is for."""
        for subscription in self._all:
            if topic_matches_sub(subscription.topic, message.topic):
                subscription.take(message)


def to_inbound(message: MQTTMessage) -> InboundMessage:
    """Paho's message as a value."""
    properties = message.properties
    return InboundMessage(
        message.topic,
        bytes(message.payload),
        message.retain,
        getattr(properties, "ResponseTopic", None),
        getattr(properties, "CorrelationData", None),
    )


def connect_properties(client: Client) -> Properties | None:
    """How large a message may be, and how many at a time; None where the protocol cannot say it."""
    if client.protocol != MQTTProtocolVersion.MQTTv5:
        return None
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = MAX_PACKET_BYTES
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    return properties


def answer_properties(correlation: bytes | None) -> Properties | None:
    """With them the asker knows which of its messages is answered."""
    if correlation is None:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.CorrelationData = correlation
    return properties


# What the outbox and the connection say to each other; each call only puts into a queue.


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """A message that is to be sent once (QoS 1) on the connection of that number, or not at all.

    `alone`: with nothing else unacknowledged, so that it is known what broke the connection.
    """

    connection: int
    key: int
    topic: str
    payload: bytes
    alone: bool = False


class Transport(Protocol):
    """Takes parcels for the broker."""

    def carry(self, parcel: OutboundMessage) -> None:
        """Send it, in the order of the calls; dropped if its connection is not the current one."""


class DeliveryListener(Protocol):
    """Told what becomes of parcels, by the thread of the connection."""

    def connected(self, connection: int, max_packet_bytes: int | None) -> None:
        """A new connection stands: a harmless message was acknowledged on it."""

    def answered(self, key: int, refusal: str | None) -> None:
        """The broker has acknowledged a parcel, or says why it will not have it."""

    def lost(self, *, suspect: bool) -> None:
        """The connection is gone, and every parcel that was not answered.

        `suspect`: the broker ended it just after a parcel that was alone, with nothing else in flight.
        """
