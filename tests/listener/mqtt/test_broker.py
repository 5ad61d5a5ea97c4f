"""The MQTT connection to a real Mosquitto, watched by the real mosquitto_sub."""

import json
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from listener.backoff import Backoff
from listener.config.outputs import MqttSettings
from listener.health import Health
from listener.mqtt.broker import STABLE_SECONDS, TAKEN_OVER_SECONDS, Broker
from listener.mqtt.topics import Topics
from listener.outbox.outbox import Outbox
from listener.outbox.store import Bounds
from listener.sinks.mqtt import MqttSink
from listener.sinks.sink import Level, SourceStatus
from tests.listener.sinks.notices import ONSET, end_of, manifest, notice, start_of
from tests.rigs.commander import publish
from tests.rigs.mosquitto import Mosquitto, free_port, subscribe, wait_until

TOPICS = Topics("earshot", "farm")
LABELS = ("smoke_alarm", "doorbell")

# A station that says online and then only waits to be killed.
STATION = """
import sys, threading
from listener.mqtt.broker import Broker
from listener.config.outputs import MqttSettings
from listener.health import Health
settings = MqttSettings(port=int(sys.argv[1]))
Broker(settings, "farm-1", "earshot/farm/status", Health((), "home-alarms@3")).start()
threading.Event().wait()
"""


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


def make_broker(settings: MqttSettings, station: str = "farm") -> tuple[Broker, Health]:
    health = Health(LABELS, "home-alarms@3")
    return Broker(settings, f"{station}-1", f"earshot/{station}/status", health), health


@contextmanager
def running(settings: MqttSettings, station: str = "farm") -> Iterator[Broker]:
    broker, _ = make_broker(settings, station)
    broker.start()
    try:
        yield broker
    finally:
        broker.close()


def wait_for_log(caplog: pytest.LogCaptureFixture, text: str) -> None:
    wait_until(lambda: text in caplog.text, 15.0, f"{text!r} in the log")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


def test_status_is_online_while_there_is_a_connection_and_offline_after_close(
    mosquitto: Mosquitto,
) -> None:
    with subscribe(mosquitto.port, "earshot/closing/#") as messages:
        with running(MqttSettings(port=mosquitto.port), "closing"):
            messages.wait_for_payload("earshot/closing/status", "online")
        messages.wait_for_payload("earshot/closing/status", "offline")
        assert {(message.retained, message.qos) for message in messages.all} == {(True, 1)}
    with subscribe(mosquitto.port, "earshot/closing/#") as messages:
        assert messages.wait_for_topic("earshot/closing/status")[0].payload == "offline"


def test_the_will_says_offline_when_the_station_is_killed(mosquitto: Mosquitto) -> None:
    with subscribe(mosquitto.port, "earshot/farm/status") as messages:
        process = subprocess.Popen([sys.executable, "-c", STATION, str(mosquitto.port)])
        try:
            messages.wait_for_payload("earshot/farm/status", "online")
        finally:
            process.kill()  # SIGKILL
            process.wait()
        assert messages.wait_for_payload("earshot/farm/status", "offline").retained


def test_every_topic_of_a_station_arrives_with_its_qos_and_retained_flag(
    mosquitto: Mosquitto,
) -> None:
    topics = Topics("earshot", "every")
    broker, health = make_broker(MqttSettings(port=mosquitto.port), "every")
    with subscribe(mosquitto.port, "earshot/every/#") as messages:
        outbox = Outbox(None, Bounds(), "every", topics.gap, broker, health)
        broker.set_listener(outbox)
        broker.start()
        outbox.start()
        wait_until(lambda: broker.connected, 10.0, "a connection")
        sink = MqttSink(broker, outbox, topics, health, manifest(), sources=["hall"], labels=LABELS)
        sink.handle(SourceStatus("hall", "online", ONSET))
        sink.handle(Level("hall", -43.21, -20.1, ONSET))
        sink.handle(notice(start_of()))
        sink.handle(notice(end_of()))
        messages.wait_for_topic("earshot/every/hall/event", 2, 30.0)
        outbox.close()
        broker.close()
        messages.wait_for_payload("earshot/every/status", "offline")
    form = {(message.topic, message.qos, message.retained) for message in messages.all}
    assert form == {
        ("earshot/every/status", 1, True),
        ("earshot/every/bundle", 1, True),
        ("earshot/every/hall/status", 1, True),
        ("earshot/every/hall/event", 1, False),
        ("earshot/every/hall/state/smoke_alarm", 1, True),
        ("earshot/every/hall/state/doorbell", 1, True),
        ("earshot/every/hall/level", 0, False),
        ("earshot/every/hall/bandwidth", 1, True),
    }
    payloads = [m.payload for m in messages.all if m.topic == "earshot/every/hall/event"]
    found = [json.loads(payload) for payload in payloads]
    assert [(event["phase"], event["seq"]) for event in found] == [("start", 1), ("end", 2)]
    state = [m.payload for m in messages.all if m.topic.endswith("/state/smoke_alarm")]
    assert state == ["OFF", "ON", "OFF"]


def test_names_keep_their_letters_on_the_wire(mosquitto: Mosquitto) -> None:
    with (
        subscribe(mosquitto.port, "earshot/letters/#") as messages,
        running(MqttSettings(port=mosquitto.port), "letters") as broker,
    ):
        broker.publish("earshot/letters/hall/event", "Türklingel".encode())
        messages.wait_for_payload("earshot/letters/hall/event", "Türklingel")


@pytest.mark.parametrize(("protocol", "level"), [("5", "p5"), ("3.1.1", "p2")])
def test_the_protocol_is_the_one_asked_for(tmp_path: Path, protocol: str, level: str) -> None:
    with (
        Mosquitto(tmp_path) as mosquitto,
        subscribe(mosquitto.port, "earshot/#") as messages,
        running(MqttSettings(port=mosquitto.port, protocol=protocol)) as broker,
    ):
        broker.publish("earshot/farm/hall/event", b"x")
        messages.wait_for_topic("earshot/farm/hall/event")
        assert f"as farm-1 ({level}, c1, k15)" in mosquitto.log


def test_retained_payloads_are_published_again_after_the_broker_lost_them(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as mosquitto:
        broker, _ = make_broker(MqttSettings(port=mosquitto.port))
        broker.publish("earshot/farm/hall/state/doorbell", b"OFF", retain=True)
        broker.start()
        wait_until(lambda: broker.connected, 10.0, "a connection")
        broker.publish("earshot/farm/hall/state/doorbell", b"ON", retain=True)
        broker.publish("earshot/farm/bundle", b"{}", retain=True)
        mosquitto.stop()
        wait_until(lambda: not broker.connected, 10.0, "the loss noticed")
        broker.publish("earshot/farm/hall/state/doorbell", b"OFF", retain=True)
        broker.publish("earshot/farm/hall/event", b"while away")
        mosquitto.start()
        with subscribe(mosquitto.port, "earshot/#") as messages:
            messages.wait_for_payload("earshot/farm/hall/state/doorbell", "OFF")
            messages.wait_for_payload("earshot/farm/bundle", "{}")
            messages.wait_for_payload("earshot/farm/status", "online")
            messages.wait_for_payload("earshot/farm/hall/event", "while away")
            broker.close()
            messages.wait_for_payload("earshot/farm/status", "offline")
        states = {m.payload for m in messages.all if m.topic.endswith("/state/doorbell")}
        assert states == {"OFF"}  # and not what was true before the loss


def test_a_broker_that_comes_later_is_found_and_was_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mosquitto = Mosquitto(tmp_path)
    broker, health = make_broker(MqttSettings(port=mosquitto.port))
    broker.start()
    wait_for_log(caplog, "refused")
    assert not broker.connected
    broker.publish("earshot/farm/hall/event", b"early")
    with mosquitto, subscribe(mosquitto.port, "earshot/#") as messages:
        messages.wait_for_payload("earshot/farm/status", "online")
        messages.wait_for_payload("earshot/farm/hall/event", "early")
        assert health.mqtt_connected
        broker.close()
    assert warnings(caplog) == [f"mqtt 127.0.0.1:{mosquitto.port}: Connection refused"]


def test_a_wrong_password_is_one_clear_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        password_broker(tmp_path) as mosquitto,
        running(login(tmp_path, mosquitto.port, "wrong")) as broker,
    ):
        wait_for_log(caplog, "refused by the broker")
        assert not broker.connected
        wait_until(lambda: mosquitto.log.count("not authorised") >= 2, 15.0, "a second try")
    assert warnings(caplog) == [
        f"mqtt 127.0.0.1:{mosquitto.port}: refused by the broker: Not authorized"
    ]


def test_the_password_comes_from_its_file(tmp_path: Path) -> None:
    with (
        password_broker(tmp_path) as mosquitto,
        running(login(tmp_path, mosquitto.port, "right")) as broker,
    ):
        wait_until(lambda: broker.connected, 10.0, "a connection")


def password_broker(directory: Path) -> Mosquitto:
    passwords = directory / "passwords"
    passwords.touch(0o600)
    command = ["mosquitto_passwd", "-b", str(passwords), "station", "right"]
    mosquitto = Mosquitto(directory, f"password_file {passwords}", anonymous=False)
    subprocess.run(command, check=True, capture_output=True)
    return mosquitto


def login(directory: Path, port: int, password: str) -> MqttSettings:
    file = directory / "password"
    file.write_text(password + "\n")
    return MqttSettings(port=port, username="station", password_file=file)


def test_a_message_that_the_acl_denies_is_counted_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite earshot/farm/#\n")
    acl.chmod(0o600)
    with Mosquitto(tmp_path, f"acl_file {acl}") as mosquitto:
        broker, health = make_broker(MqttSettings(port=mosquitto.port))
        broker.start()
        broker.publish("earshot/elsewhere", b"x")
        wait_for_log(caplog, "message refused by the broker: Not authorized")
        broker.close()
        assert health.mqtt_refused == 1


def test_a_full_queue_is_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    broker, health = make_broker(MqttSettings(port=free_port()))
    for _ in range(1003):
        broker.publish("earshot/farm/hall/event", b"x")
    broker.start()
    wait_until(lambda: health.mqtt_dropped == 3, 20.0, "the messages above a thousand dropped")
    broker.close()
    assert len([line for line in warnings(caplog) if "queue full" in line]) == 1


def test_a_bug_is_logged_and_counted_and_the_connection_is_set_up_again(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    broker, health = make_broker(MqttSettings(port=mosquitto.port), "broken")
    broker.subscribe("earshot/broken/command/+", lambda message: json.loads(message.payload))
    broker.start()
    wait_until(lambda: "SUBACK to broken-1" in mosquitto.log, 20.0, "a subscription")
    publish(mosquitto.port, "earshot/broken/command/x", b"{")
    wait_for_log(caplog, "the connection failed and is set up again")
    assert health.mqtt_loop_errors == 1
    with subscribe(mosquitto.port, "earshot/broken/event") as messages:
        broker.publish("earshot/broken/event", b"alive")
        messages.wait_for_payload("earshot/broken/event", "alive", 30.0)
    broker.close()


def test_the_thread_sends_heartbeats_also_without_a_broker() -> None:
    broker, health = make_broker(MqttSettings(port=free_port()))
    broker.start()
    wait_until(lambda: "mqtt" in health.heartbeats, 10.0, "a heartbeat")
    first = health.heartbeats["mqtt"]
    wait_until(lambda: health.heartbeats["mqtt"] != first, 10.0, "the next one")
    broker.close()


class RecordingBackoff(Backoff):
    """Does not wait, and records how long it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def spread(self, seconds: float) -> float:
        self.waits.append(super().spread(seconds))
        return 0.0


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class ConnectionCounter:
    """Counts the connections on which the status was acknowledged."""

    count: int = 0

    def connected(self, connection: int, max_packet_bytes: int | None) -> None:  # noqa: ARG002
        self.count += 1

    def answered(self, key: int, refusal: str | None) -> None: ...

    def lost(self, *, suspect: bool) -> None: ...


def accept(server: socket.socket) -> socket.socket:
    """Accept a connection as a broker does, and acknowledge the status."""
    wire, _ = server.accept()
    wire.recv(4096)  # CONNECT
    wire.sendall(bytes([0x20, 3, 0, 0, 0]))  # CONNACK
    publish = wire.recv(4096)  # two bytes, the topic's length and the topic, then the message id
    topic_end = 4 + int.from_bytes(publish[2:4], "big")
    wire.sendall(bytes([0x40, 2]) + publish[topic_end : topic_end + 2])  # PUBACK
    return wire


def take_over(wire: socket.socket) -> None:
    """Say why the connection ends, and wait until the client has closed it.

    Closing with unread data would reset the connection, and the client might never see the reason.
    """
    wire.sendall(bytes([0xE0, 2, 0x8E, 0]))  # DISCONNECT, session taken over
    wire.settimeout(10.0)
    while wire.recv(4096):
        pass


def test_only_a_connection_that_lasted_resets_the_back_off_and_a_take_over_waits_long() -> None:
    backoff, clock, listener = RecordingBackoff(), Clock(), ConnectionCounter()
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = MqttSettings(port=server.getsockname()[1])
        broker = Broker(settings, "back-1", "s", Health((), "x@1"), backoff, clock)
        broker.set_listener(listener)
        broker.start()
        for lasted in (0.0, STABLE_SECONDS - 1.0, 1.0, 60.0, 0.0):
            with accept(server) as wire:
                wait_until(lambda: listener.count > len(backoff.waits), 10.0, "a connection")
                clock.now += lasted
                if listener.count == 5:
                    take_over(wire)
            wait_until(lambda: listener.count == len(backoff.waits), 10.0, "its end")
        broker.close()
    limits = (1.0, 2.0, 4.0, 1.0, TAKEN_OVER_SECONDS)
    for wait, limit in zip(backoff.waits[:5], limits, strict=True):
        assert limit / 2 <= wait <= limit


def test_a_second_client_with_our_id_is_named_and_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,  # a broker that gives the reason
        running(MqttSettings(port=server.getsockname()[1]), "twin"),
    ):
        with accept(server) as wire:
            take_over(wire)
        wait_for_log(caplog, "another client connected with our id")
        server.settimeout(3.0)  # half a minute at the least until the next try
        with pytest.raises(TimeoutError):
            server.accept()


def test_another_machine_with_our_name_is_seen_by_both(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    stations = [Health(LABELS, "home-alarms@3") for _ in range(2)]
    settings = MqttSettings(port=mosquitto.port)
    brokers = [
        Broker(settings, f"double-{number}", "earshot/double/status", health)
        for number, health in enumerate(stations)
    ]
    for broker in brokers:
        broker.start()
        wait_until(lambda broker=broker: broker.connected, 20.0, "a connection")  # type: ignore[misc]
        wait_until(lambda: mosquitto.log.count("SUBACK to double") > 0, 20.0, "a subscription")
    wait_until(
        lambda: all(h.mqtt_duplicate_clients for h in stations), 20.0, "both have seen the other"
    )
    with subscribe(mosquitto.port, "earshot/double/status") as messages:
        brokers[1].close()
        messages.wait_for_payload("earshot/double/status", "offline")
        # the one that is left says what is true
        wait_until(lambda: messages.all[-1].payload == "online", 20.0, "online again")
        brokers[0].close()
    assert [health.mqtt_duplicate_clients for health in stations] == [1, 1]
    assert sum("another machine publishes" in line for line in caplog.messages) == 2


def test_a_broker_that_was_never_started_closes() -> None:
    make_broker(MqttSettings(port=free_port()))[0].close()
