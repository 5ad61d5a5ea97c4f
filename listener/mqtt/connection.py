"""One connection to the broker, driven by one thread: paho is the wire, its callbacks become values."""

from __future__ import annotations

import os
import select
from collections import deque
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, Client, DisconnectFlags
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from listener.config.outputs import MqttSettings
from listener.mqtt.client import make_client
from listener.mqtt.messages import InboundMessage, connect_properties

KEEPALIVE_SECONDS = 15
# Reason codes of MQTT 5; paho gives the first also when it ends the connection itself
KEEPALIVE_TIMED_OUT = 0x8D
TAKEN_OVER = 0x8E  # another client connected with the same id


@dataclass(frozen=True, slots=True)
class Accepted:
    """The broker accepted the connection; None: it announced no limit."""

    max_packet_bytes: int | None
    receive_maximum: int | None

    @classmethod
    def from_paho(cls, properties: Properties | None) -> Accepted:
        """The limits in the properties of a CONNACK."""
        names = ("MaximumPacketSize", "ReceiveMaximum")
        return cls(*(getattr(properties, name, None) for name in names))


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker refused the connection."""

    reason: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker has a message, or refused it."""

    mid: int
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The connection ended; `by_broker`: not by us or by a timeout."""

    reason: str
    by_broker: bool
    taken_over: bool

    @classmethod
    def from_paho(cls, flags: DisconnectFlags, reason: ReasonCode) -> Ended:
        """The end that paho reports."""
        taken_over = flags.is_disconnect_packet_from_server and reason.value == TAKEN_OVER
        return cls(str(reason), reason.value != KEEPALIVE_TIMED_OUT, taken_over)


ConnectionEvent = Accepted | Refused | Acknowledged | Ended | InboundMessage


class Connection:
    """A paho client for one thread, for as long as the station runs; any thread may call `wake`.

    Its callbacks, which paho calls while it holds its locks, only append to a queue.

    Raises:
        BrokerError: an invalid host name, a password or TLS file that cannot be read.
    """

    def __init__(self, settings: MqttSettings, client_id: str, will: tuple[str, bytes]) -> None:
        self._settings, self._client_id, self._will = settings, client_id, will
        self.client = self._make_client()
        self._events: deque[ConnectionEvent] = deque()
        self._waker: int | None = None
        self._woken = False

    def _make_client(self) -> Client:
        client = make_client(self._settings, self._client_id)
        client.will_set(*self._will, qos=1, retain=True)
        client.on_connect = lambda _client, _userdata, _flags, reason, properties: (
            self._events.append(
                Refused(str(reason)) if reason.is_failure else Accepted.from_paho(properties)
            )
        )
        client.on_disconnect = lambda _client, _userdata, flags, reason, _properties: (
            self._events.append(Ended.from_paho(flags, reason))
        )
        client.on_publish = lambda _client, _userdata, mid, reason, _properties: (
            self._events.append(Acknowledged(mid, str(reason) if reason.is_failure else None))
        )
        client.on_message = lambda _client, _userdata, message: self._events.append(
            InboundMessage.from_paho(message)
        )
        # a session at the broker would send again, too
        clean = client.protocol == MQTTProtocolVersion.MQTTv5 or MQTT_CLEAN_START_FIRST_ONLY
        client.connect_async(
            self._settings.host,
            self._settings.port,
            KEEPALIVE_SECONDS,
            clean_start=clean,
            properties=connect_properties(client),
        )
        return client

    def replace_client(self) -> None:
        """Use a new paho client: a bug left the current one in an unknown state."""
        self.cut()
        self.client = self._make_client()

    def open(self) -> None:
        """Send CONNECT; blocks up to the timeouts of the name server and TCP.

        Raises:
            OSError: the broker cannot be reached, or TLS fails.
        """
        self._events.clear()
        if self._waker is None:
            self._waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        # the send queue knows what has to be sent again; paho would send all of it at once
        self.client.drop_out_messages()
        self.client.reconnect()

    def wake(self) -> None:
        """Let `serve` return early; from any thread."""
        waker = self._waker
        if waker is not None and not self._woken:
            self._woken = True  # until `serve` has seen it: a batch of messages wakes once
            os.eventfd_write(waker, 1)

    def serve(self, seconds: float) -> list[ConnectionEvent]:
        """Read and write what is ready, after waiting up to `seconds` for it; gives what happened."""
        wire: Any = self.client.socket()
        waker = self._waker
        if wire is not None and wire.fileno() >= 0 and waker is not None:
            number = wire.fileno()
            decrypted = (
                wire.pending() if hasattr(wire, "pending") else 0
            )  # TLS has read them already
            poll = select.poll()
            poll.register(wire, select.POLLIN | (select.POLLOUT if self.client.want_write() else 0))
            poll.register(waker, select.POLLIN)
            ready = dict(poll.poll(0 if decrypted else seconds * 1000))
            if waker in ready:
                os.eventfd_read(waker)
                self._woken = False
            if decrypted or ready.get(number, 0) & ~select.POLLOUT:
                self.client.loop_read()
            if ready.get(number, 0) & select.POLLOUT:
                self.client.loop_write()
            self.client.loop_misc()
        events = list(self._events)
        self._events.clear()
        return events

    def cut(self) -> None:
        """Close the socket without DISCONNECT, so that the broker publishes the will."""
        wire = self.client.socket()
        if wire is not None:
            wire.close()
