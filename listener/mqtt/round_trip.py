"""Checks for `listener check` that the broker accepts and delivers messages."""

import sys
import time
import uuid
from queue import Empty, SimpleQueue
from threading import Thread

from paho.mqtt.client import Client
from paho.mqtt.reasoncodes import ReasonCode

from listener.config.outputs import MqttSettings
from listener.mqtt.client import BrokerError, describe, make_client

_STOP_SECONDS = 1.0


def check_round_trip(settings: MqttSettings, station: str, timeout_seconds: float = 5.0) -> float:
    """Milliseconds from a publish to its receipt, on a topic of its own under the station's.

    Raises:
        BrokerError: no connection, a refusal, or no answer in time.
    """
    token = uuid.uuid4().hex
    topic = f"{settings.topic_prefix}/{station}/check/{token}"
    client = make_client(settings, f"{station}-check-{token[:8]}")
    client.connect_timeout = timeout_seconds
    steps = _Steps(client, token, f"{settings.host}:{settings.port}", timeout_seconds)
    client.connect_async(settings.host, settings.port)
    client.loop_start()
    try:
        steps.wait_for("connection")
        client.subscribe(topic, 1)
        steps.wait_for("subscription")
        sent_at = time.monotonic()
        client.publish(topic, token, 1)
        steps.wait_for("message")
        return (time.monotonic() - sent_at) * 1000
    finally:
        client.disconnect()
        # loop_stop() waits without limit, for instance for a connect to a host that does not answer
        stopper = Thread(target=client.loop_stop, name="mqtt-stop", daemon=True)
        stopper.start()
        stopper.join(_STOP_SECONDS)


class _Steps:
    """What paho's callbacks report, as (step, problem) in a queue; all within one deadline."""

    def __init__(self, client: Client, token: str, address: str, timeout_seconds: float) -> None:
        self._address, self._timeout_seconds = address, timeout_seconds
        self._deadline = time.monotonic() + timeout_seconds
        self._reports: SimpleQueue[tuple[str, str | None]] = SimpleQueue()
        client.on_connect = lambda _client, _userdata, _flags, reason, _properties: self._report(
            "connection", reason
        )
        # paho calls this while it handles the error
        client.on_connect_fail = lambda _client, _userdata: self._reports.put(
            ("connection", describe(sys.exc_info()[1]))
        )
        client.on_disconnect = lambda _client, _userdata, _flags, reason, _properties: (
            self._reports.put(("end", f"connection lost: {reason}"))
        )
        client.on_subscribe = lambda _client, _userdata, _mid, reasons, _properties: self._report(
            "subscription", reasons[0]
        )
        client.on_publish = lambda _client, _userdata, _mid, reason, _properties: self._report(
            "acknowledgement", reason
        )
        client.on_message = lambda _client, _userdata, message: self._reports.put(
            ("message" if message.payload == token.encode() else "another message", None)
        )

    def _report(self, step: str, reason: ReasonCode) -> None:
        self._reports.put((step, str(reason) if reason.is_failure else None))

    def wait_for(self, step: str) -> None:
        """Until the step is done; a problem of any step is a BrokerError."""
        done, problem = "", None
        while done != step and problem is None:
            try:
                left = max(0.0, self._deadline - time.monotonic())
                done, problem = self._reports.get(timeout=left)
            except Empty:
                problem = f"none within {self._timeout_seconds:g} s"
        if problem is not None:
            raise BrokerError(f"mqtt {self._address}: expected a {step}: {problem}")
