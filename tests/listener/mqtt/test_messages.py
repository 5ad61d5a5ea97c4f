"""Messages to a station and its answers, over a real broker, with both protocols."""

from __future__ import annotations

from pathlib import Path
from queue import SimpleQueue
from typing import Literal

import pytest

from listener.config.outputs import MqttSettings
from listener.health import Health
from listener.mqtt.broker import Broker
from listener.mqtt.messages import InboundMessage
from tests.rigs.commander import publish
from tests.rigs.mosquitto import Mosquitto, subscribe, wait_until

TOPIC = "earshot/farm/command/mute"


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_messages_are_received_after_a_reconnect_too(
    protocol: Literal["5", "3.1.1"], tmp_path: Path
):
    received: SimpleQueue[InboundMessage] = SimpleQueue()
    with Mosquitto(tmp_path) as mosquitto:
        settings = MqttSettings(port=mosquitto.port, protocol=protocol)
        health = Health((), "home-alarms@3")
        broker = Broker(settings, "farm-1", "earshot/farm/status", health)
        broker.subscribe("earshot/farm/command/+", received.put)
        broker.start()
        try:
            for _ in range(2):
                wait_until(lambda: broker.connected, 20, "a connection")
                wait_until(
                    lambda: mosquitto.log.count("Sending SUBACK to farm-1") > 0, 20, "SUBACK"
                )
                publish(mosquitto.port, TOPIC, b"\xff\x00")
                found = received.get(timeout=20)
                assert (found.topic, found.payload, found.retained) == (TOPIC, b"\xff\x00", False)
                mosquitto.stop()
                wait_until(lambda: not broker.connected, 20, "the end of the connection")
                (tmp_path / f"mosquitto-{mosquitto.port}.log").unlink()
                mosquitto.start()
        finally:
            broker.close()


def test_answers_carry_the_correlation(tmp_path: Path):
    with Mosquitto(tmp_path) as mosquitto:
        broker = Broker(MqttSettings(port=mosquitto.port), "farm-1", "s", Health((), "x@1"))
        broker.start()
        try:
            wait_until(lambda: broker.connected, 20, "a connection")
            with subscribe(mosquitto.port, "answers", "-F", "message %r %q %t %D%p") as messages:
                broker.answer("answers", b"hush", b"id-7")
                (found,) = messages.wait_for_topic("answers")
        finally:
            broker.close()
    assert "id-7" in found.payload
    assert found.payload.endswith("hush")
