"""A client has credentials and TLS with its host-name check; errors are one line."""

import logging
from pathlib import Path

import pytest

from listener.config.outputs import MqttSettings, TlsSettings
from listener.health import Health
from listener.mqtt.broker import Broker
from listener.mqtt.client import BrokerError, make_client, station_client_id
from tests.rigs.certificates import Certificates, make_certificates
from tests.rigs.mosquitto import Mosquitto, wait_until


def test_the_client_id_is_the_station_and_a_hash_that_stays() -> None:
    station, _, machine = station_client_id("farm").rpartition("-")
    assert station == "farm"
    assert len(bytes.fromhex(machine)) == 4
    assert station_client_id("barn") == f"barn-{machine}"


@pytest.mark.parametrize("host", ["", "a..b", "x" * 64 + ".example"])
def test_a_host_that_is_no_name_is_refused(host: str) -> None:
    with pytest.raises(BrokerError, match=r"mqtt.host: expected a host name or address, got '"):
        make_client(MqttSettings(host=host), "farm")


def test_a_password_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "password"
    with pytest.raises(BrokerError) as error:
        make_client(MqttSettings(username="station", password_file=file), "farm")
    assert str(error.value) == (
        f"mqtt.password_file: cannot read {file}: No such file or directory"
    )


def test_a_password_needs_a_username(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"mqtt.username: expected one beside password_file"):
        make_client(MqttSettings(password_file=tmp_path / "password"), "farm")


def test_a_key_needs_a_certificate(tmp_path: Path) -> None:
    tls = TlsSettings(key_file=tmp_path / "key")
    with pytest.raises(BrokerError, match="expected one beside key_file"):
        make_client(MqttSettings(tls=tls), "farm")


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("not a certificate")
    with pytest.raises(BrokerError, match=f"mqtt.tls: cannot load {authority}: "):
        make_client(MqttSettings(tls=TlsSettings(ca_file=authority)), "farm")


def tls_broker(directory: Path, made: Certificates) -> Mosquitto:
    return Mosquitto(directory, listener=(f"certfile {made.server}", f"keyfile {made.server_key}"))


def secure_station(port: int, made: Certificates) -> Broker:
    settings = MqttSettings(port=port, tls=TlsSettings(ca_file=made.authority))
    return Broker(settings, "farm-1", "earshot/farm/status", Health((), "home-alarms@3"))


def test_a_certificate_of_ours_for_this_host_is_trusted(tmp_path: Path) -> None:
    made = make_certificates(tmp_path / "tls", "IP:127.0.0.1")
    with tls_broker(tmp_path, made) as mosquitto:
        station = secure_station(mosquitto.port, made)
        station.start()
        wait_until(lambda: station.connected, 10.0, "a connection")
        station.close()


# paho leaves the socket of a failed handshake to the garbage collector, which closes it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("name", "authority", "reason"),
    [
        ("DNS:elsewhere.example", "same", "IP address mismatch"),
        ("IP:127.0.0.1", "other", "certificate verify failed"),
    ],
)
def test_a_certificate_for_another_host_or_of_a_stranger_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, authority: str, reason: str
) -> None:
    made = make_certificates(tmp_path / "tls", name)
    trusted = made if authority == "same" else make_certificates(tmp_path / "other", name)
    with tls_broker(tmp_path, made) as mosquitto:
        station = secure_station(mosquitto.port, trusted)
        station.start()
        wait_until(lambda: reason in caplog.text, 10.0, f"{reason} in the log")
        assert not station.connected
        station.close()
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
