"""One connection to the broker, driven by one thread: paho is the wire, what happens comes as values."""

from __future__ import annotations

import os
import select
from collections import deque
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import (
    MQTT_CLEAN_START_FIRST_ONLY,
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
)
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from listener.config.outputs import MqttSettings
from listener.mqtt.client import make_client
from listener.mqtt.messages import InboundMessage, connect_properties, to_inbound

KEEPALIVE_SECONDS = 15
# Reasons of MQTT 5; paho gives the first also where it is the one to end the connection
KEEPALIVE_TIMED_OUT = 0x8D
TAKEN_OVER = 0x8E  # another client connected with the same id


@dataclass(frozen=True, slots=True)
class Accepted:
    """The broker took the connection; None: it announced no limit."""

    max_packet_bytes: int | None
    receive_maximum: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker did not take it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A message arrived at the broker, which may have refused it."""

    mid: int
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The connection ended; `by_broker`: neither we nor a time limit ended it."""

    reason: str
    by_broker: bool
    taken_over: bool


Happening = Accepted | Refused | Acknowledged | Ended | InboundMessage


class Connection:
    """A paho client for one thread; only `wake` is for others, all through the life of the station.

    Its callbacks, which paho calls while it holds its locks, only append to a queue.

    Raises:
        BrokerError: a host name that is none, a password or TLS file that cannot be read.
    """

    def __init__(self, settings: MqttSettings, client_id: str, will: tuple[str, bytes]) -> None:
        self._settings, self._client_id, self._will = settings, client_id, will
        self.client = self._make_client()
        self._happened: deque[Happening] = deque()
        self._waker: int | None = None
        self._woken = False

    def _make_client(self) -> Client:
        client = make_client(self._settings, self._client_id)
        client.will_set(*self._will, qos=1, retain=True)
        client.on_pre_connect = _forget_unsent
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        # what is to be sent again is known here, and a session at the broker would send it, too
        clean = client.protocol == MQTTProtocolVersion.MQTTv5 or MQTT_CLEAN_START_FIRST_ONLY
        client.connect_async(
            self._settings.host,
            self._settings.port,
            KEEPALIVE_SECONDS,
            clean_start=clean,
            properties=connect_properties(client),
        )
        return client

    def begin_anew(self) -> None:
        """With another client of paho: this one met with a bug, and nobody knows its state."""
        self.cut()
        self.client = self._make_client()

    def open(self) -> None:
        """Connect, and ask to be accepted; blocks up to the time limits of name server and TCP.

        Raises:
            OSError: it cannot be reached, or TLS fails.
        """
        self._happened.clear()
        if self._waker is None:
            self._waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.client.reconnect()

    @property
    def is_open(self) -> bool:
        """Whether there is a socket."""
        wire = self.client.socket()
        return wire is not None and wire.fileno() >= 0

    def wake(self) -> None:
        """Let `serve` return early; from any thread."""
        waker = self._waker
        if waker is not None and not self._woken:
            self._woken = True  # until it has been seen: a batch of messages wakes once
            os.eventfd_write(waker, 1)

    def serve(self, seconds: float) -> list[Happening]:
        """Read and write what there is, waiting so long for it at most; what has happened."""
        wire: Any = self.client.socket()
        if wire is not None and wire.fileno() >= 0 and self._waker is not None:
            self._wait(wire, self._waker, seconds)
        happened = list(self._happened)
        self._happened.clear()
        return happened

    def _wait(self, wire: Any, waker: int, seconds: float) -> None:
        decrypted = wire.pending() if hasattr(wire, "pending") else 0  # TLS has read them already
        wanted = select.POLLIN | (select.POLLOUT if self.client.want_write() else 0)
        poll = select.poll()
        poll.register(wire, wanted)
        poll.register(waker, select.POLLIN)
        number = wire.fileno()
        ready = dict(poll.poll(0 if decrypted else seconds * 1000))
        if waker in ready:
            os.eventfd_read(waker)
            self._woken = False
        if decrypted or ready.get(number, 0) & ~select.POLLOUT:
            self.client.loop_read()
        if ready.get(number, 0) & select.POLLOUT:
            self.client.loop_write()
        self.client.loop_misc()

    def cut(self) -> None:
        """End it without a word, so that the broker publishes the will."""
        wire = self.client.socket()
        if wire is not None:
            wire.close()

    def _on_connect(
        self,
        _client: Client,
        _userdata: Any,
        _flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._happened.append(Refused(str(reason)))
            return
        limits = [
            getattr(properties, name, None) for name in ("MaximumPacketSize", "ReceiveMaximum")
        ]
        self._happened.append(Accepted(*limits))

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: Any,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        taken_over = flags.is_disconnect_packet_from_server and reason.value == TAKEN_OVER
        by_broker = reason.value != KEEPALIVE_TIMED_OUT
        self._happened.append(Ended(str(reason), by_broker, taken_over))

    def _on_publish(
        self,
        _client: Client,
        _userdata: Any,
        mid: int,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._happened.append(Acknowledged(mid, str(reason) if reason.is_failure else None))

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        self._happened.append(to_inbound(message))


def _forget_unsent(client: Client, _userdata: Any) -> None:
    # what is to be sent again is known better elsewhere; paho would send all of it at once
    client.drop_out_messages()
