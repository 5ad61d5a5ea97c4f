"""An outside MQTT client that notes when each message came."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks.station_config import STATION

_TOPICS = f"earshot/{STATION}"
_CONNECT_SECONDS = 10.0
_WAIT_SECONDS = 120.0  # 64 sources with 521 labels have 33 000 states to tell first
_LOOK_SECONDS = 0.5  # how soon the end of the sender is noticed


@dataclass(frozen=True, slots=True)
class Receipt:
    """A message and when it came: `at` in unix seconds, `monotonic` on the monotonic clock."""

    topic: str
    payload: bytes
    at: float
    monotonic: float


class Subscriber:
    """A context in which messages of the measured station's `topics` are received.

    `topics` are relative to the station's own, `+/event` for instance; QoS 1.
    """

    def __init__(self, port: int, *topics: str) -> None:
        self._port = port
        self._topics = [(f"{_TOPICS}/{topic}", 1) for topic in topics]
        self._changed = threading.Condition()
        self._receipts: list[Receipt] = []
        self._subscribed = False
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        with self._changed:
            if not self._changed.wait_for(lambda: self._subscribed, _CONNECT_SECONDS):
                raise TimeoutError(f"no subscription within {_CONNECT_SECONDS} s")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, *_: Any) -> None:
        self._client.subscribe(self._topics)

    def _on_subscribe(self, *_: Any) -> None:
        with self._changed:
            self._subscribed = True
            self._changed.notify_all()

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        at, monotonic = time.time(), time.monotonic()
        with self._changed:
            self._receipts.append(Receipt(message.topic, bytes(message.payload), at, monotonic))
            self._changed.notify_all()

    @property
    def receipts(self) -> list[Receipt]:
        """What has come so far."""
        with self._changed:
            return list(self._receipts)

    def wait_for(
        self, wanted: Callable[[Receipt], bool], count: int, alive: Callable[[], bool]
    ) -> list[Receipt]:
        """The receipts that are `wanted`, as soon as there are `count`.

        Raises:
            TimeoutError: fewer came in two minutes, or before `alive` said no.
        """
        deadline = time.monotonic() + _WAIT_SECONDS
        found: list[Receipt] = []
        with self._changed:
            while len(found) < count:
                if time.monotonic() > deadline or not alive():
                    raise TimeoutError(f"expected {count} messages, got {len(found)}")
                self._changed.wait(_LOOK_SECONDS)
                found = [receipt for receipt in self._receipts if wanted(receipt)]
        return found
