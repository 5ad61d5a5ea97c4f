"""The round trip through the broker, as `listener check` measures it."""

import socket
from pathlib import Path

import pytest

from listener.config.outputs import MqttSettings
from listener.mqtt.client import BrokerError
from listener.mqtt.round_trip import check_round_trip
from tests.rigs.mosquitto import Mosquitto, free_port, subscribe


def test_the_round_trip_takes_its_milliseconds_and_leaves_nothing(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as mosquitto:
        assert check_round_trip(MqttSettings(port=mosquitto.port), "farm") > 0.0
        with subscribe(mosquitto.port, "earshot/#") as messages:
            assert messages.all == []


def test_a_port_where_nothing_listens_is_one_line() -> None:
    port = free_port()
    with pytest.raises(BrokerError) as error:
        check_round_trip(MqttSettings(port=port), "farm")
    assert str(error.value) == (f"mqtt 127.0.0.1:{port}: expected a connection: Connection refused")


def test_a_refused_login_is_one_line(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path, anonymous=False) as mosquitto,
        pytest.raises(BrokerError, match=r"expected a connection: Not authorized$"),
    ):
        check_round_trip(MqttSettings(port=mosquitto.port), "farm")


def test_a_topic_that_the_acl_denies_is_one_line(tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic read earshot/#\n")
    acl.chmod(0o600)
    with (
        Mosquitto(tmp_path, f"acl_file {acl}") as mosquitto,
        pytest.raises(BrokerError, match=r"expected a message: Not authorized$"),
    ):
        check_round_trip(MqttSettings(port=mosquitto.port), "farm")


def test_a_server_that_never_answers_ends_by_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = MqttSettings(port=silent.getsockname()[1])
        with pytest.raises(BrokerError, match=r"expected a connection: none within 0.3 s$"):
            check_round_trip(settings, "farm", timeout_seconds=0.3)
