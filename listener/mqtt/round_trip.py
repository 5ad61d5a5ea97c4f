"""Is the broker there, and does it take and give messages? For `listener check`."""

from __future__ import annotations

import sys
import time
import uuid
from queue import Empty, SimpleQueue
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from listener.config.outputs import MqttSettings
from listener.mqtt.client import BrokerError, describe, make_client, stop_client


def check_round_trip(settings: MqttSettings, station: str, timeout_seconds: float = 5.0) -> float:
    """Milliseconds from a publish to its receipt, on a topic of its own under the station's.

    Raises:
        BrokerError: no connection, a refusal, or no answer within the time.
    """
    return _RoundTrip(settings, station, timeout_seconds).run()


class _RoundTrip:
    """Connect, subscribe, publish, receive. Callbacks only put (step, problem) into a queue."""

    def __init__(self, settings: MqttSettings, station: str, timeout_seconds: float) -> None:
        self._settings = settings
        self._address = f"{settings.host}:{settings.port}"
        self._token = uuid.uuid4().hex
        self._topic = f"{settings.topic_prefix}/{station}/check/{self._token}"
        self._timeout_seconds = timeout_seconds
        self._answers: SimpleQueue[tuple[str, str | None]] = SimpleQueue()
        self._client = self._make_client(f"{station}-check-{self._token[:8]}")

    def _make_client(self, client_id: str) -> Client:
        client = make_client(self._settings, client_id)
        client.connect_timeout = self._timeout_seconds
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def run(self) -> float:
        deadline = time.monotonic() + self._timeout_seconds
        self._client.connect_async(self._settings.host, self._settings.port)
        self._client.loop_start()
        try:
            self._expect("connection", deadline)
            self._client.subscribe(self._topic, 1)
            self._expect("subscription", deadline)
            sent_at = time.monotonic()
            self._client.publish(self._topic, self._token, 1)
            self._expect("message", deadline)
            return (time.monotonic() - sent_at) * 1000
        finally:
            stop_client(self._client, 1.0)

    def _expect(self, step: str, deadline: float) -> None:
        arrived, problem = "", None
        while arrived != step and problem is None:
            try:
                left = max(0.0, deadline - time.monotonic())
                arrived, problem = self._answers.get(timeout=left)
            except Empty:
                problem = f"none within {self._timeout_seconds:g} s"
        if problem is not None:
            raise BrokerError(f"mqtt {self._address}: expected a {step}: {problem}")

    def _put(self, step: str, reason: ReasonCode) -> None:
        self._answers.put((step, str(reason) if reason.is_failure else None))

    def _on_connect(
        self,
        _client: Client,
        _userdata: Any,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._put("connection", reason)

    def _on_connect_fail(self, _client: Client, _userdata: Any) -> None:
        error = sys.exc_info()[1]  # paho calls this while it handles the error
        self._answers.put(("connection", describe(error)))

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: Any,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._answers.put(("end", f"connection lost: {reason}"))

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: Any,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._put("subscription", reasons[0])

    def _on_publish(
        self,
        _client: Client,
        _userdata: Any,
        _mid: int,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._put("acknowledgement", reason)

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        if message.payload == self._token.encode():
            self._answers.put(("message", None))
