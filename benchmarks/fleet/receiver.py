"""A subscriber that survives its broker, and the broker's own account of what passed through it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from benchmarks.fleet.outcome import Arrival, Outcome, judge

ACCOUNT_SECONDS = 1  # sys_interval of the broker's configuration
_ACCOUNT = "$SYS/broker/"
_ACCOUNTS = ("bytes/received", "bytes/sent")
_WAIT_SECONDS = 20.0
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Account:
    """Bytes of MQTT that a broker took and gave since it started."""

    bytes_in: float
    bytes_out: float

    def since(self, before: Account) -> Account:
        """What passed between an earlier account and this one."""
        return Account(self.bytes_in - before.bytes_in, self.bytes_out - before.bytes_out)


class Receiver:
    """A context in which messages of `topic` are received; its session is kept for it while it is away."""

    def __init__(self, port: int, topic: str) -> None:
        self._port, self._topic = port, topic
        self._changed = threading.Condition()
        self._arrivals: list[Arrival] = []
        self._account: dict[str, float] = {}
        self._is_ready = False
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id="receiver", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)

    def __enter__(self) -> Self:
        kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        kept.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", self._port, clean_start=False, properties=kept)
        self._client.loop_start()
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_ready, _WAIT_SECONDS):
                raise TimeoutError(f"expected a subscription within {_WAIT_SECONDS} s")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: Client, _userdata: Any, flags: ConnectFlags, *_: Any) -> None:
        if not flags.session_present:
            accounts = [(_ACCOUNT + name, 0) for name in _ACCOUNTS]
            client.subscribe([(self._topic, 1), *accounts])

    def _on_subscribe(self, *_: Any) -> None:
        with self._changed:
            self._is_ready = True
            self._changed.notify_all()

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        now = time.time()
        with self._changed:
            if message.topic.startswith(_ACCOUNT):
                self._account[message.topic.removeprefix(_ACCOUNT)] = float(message.payload)
            else:
                self._arrivals.append(Arrival(message.topic, bytes(message.payload), now))
            self._changed.notify_all()

    def take(self) -> list[Arrival]:
        """What has come since the last time."""
        with self._changed:
            arrivals, self._arrivals = self._arrivals, []
            return arrivals

    def take_outcome(self, sent: Mapping[str, range], seconds: float) -> Outcome:
        """What became of messages, as soon as all have come, or after so many seconds."""
        deadline = time.monotonic() + seconds
        arrivals = self.take()
        while (outcome := judge(arrivals, sent)).lost and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            arrivals += self.take()
        return outcome

    def account(self) -> Account:
        """The broker's, once nothing more passes; waits until it is up to date."""
        time.sleep(2 * ACCOUNT_SECONDS + 0.2)  # it is said once a second
        with self._changed:
            return Account(*(self._account.get(name, 0.0) for name in _ACCOUNTS))
