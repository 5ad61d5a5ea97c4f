"""The Mosquitto configuration and ACL that ship make the promises true, on a real broker."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from listener.config.outputs import MqttSettings
from listener.detection.bundle import Bundle
from listener.mqtt.round_trip import check_round_trip
from tests.bundles import LOW_TONE_HZ
from tests.rigs.commander import command
from tests.rigs.mosquitto import Mosquitto, subscribe
from tests.rigs.sites import credentials, shipped_lines, word_of
from tests.rigs.station import running_station

USERS = ("farm", "barn", "viewer", "operator")
DENIED = "Not authorized"


def shipped_broker(directory: Path, *more: str) -> Mosquitto:
    """A broker with the files that ship, but for the port, the folder and its owner."""
    return Mosquitto(directory, *shipped_lines(directory, "acl", USERS), *more, anonymous=False)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with shipped_broker(tmp_path_factory.mktemp("broker")) as mosquitto:
        yield mosquitto


def refusal(
    broker: Mosquitto, topic: str, *options: str, payload: bytes = b"x", version: str = "mqttv5"
) -> str:
    """What mosquitto_pub says of a message that was not taken; nothing if it was."""
    ran = subprocess.run(
        ["mosquitto_pub", "-V", version, "-p", str(broker.port), "-q", "1", "-t", topic, "-s", *options],
        input=payload, capture_output=True, check=False,
    )  # fmt: skip
    return ran.stderr.decode()


MAY_WRITE = [
    ("farm", "earshot/farm/hall/event"),
    ("farm", "earshot/farm/status"),
    ("farm", "homeassistant/device/farm/config"),
    ("farm", "homeassistant/device/farm/hall/config"),
    ("operator", "homeassistant/status"),
    ("operator", "earshot/farm/command/reload"),
    ("operator", "earshot/barn/command/mute"),
]
MAY_NOT_WRITE = [
    ("farm", "earshot/barn/hall/event"),
    ("farm", "earshot/barn/command/reload"),
    ("farm", "earshot/barn/status"),
    ("farm", "earshot/farmer/status"),
    ("farm", "elsewhere"),
    ("farm", "homeassistant/status"),
    ("farm", "homeassistant/device/barn/hall/config"),
    ("viewer", "homeassistant/device/farm/config"),
    ("viewer", "earshot/farm/command/reload"),
    ("viewer", "earshot/farm/hall/event"),
    ("viewer", "earshot/viewer/hall/event"),
    ("viewer", "earshot/farm/answer/viewer"),
    ("operator", "earshot/farm/hall/event"),
    ("operator", "earshot/farm/status"),
    ("operator", "earshot/farm/command/reload/result"),
    ("operator", "earshot/operator/hall/event"),
]


@pytest.mark.parametrize(("user", "topic"), MAY_WRITE)
def test_who_may_write(broker: Mosquitto, user: str, topic: str):
    assert refusal(broker, topic, *credentials(user)) == ""


@pytest.mark.parametrize(("user", "topic"), MAY_NOT_WRITE)
def test_who_may_not_write_and_is_told_so(broker: Mosquitto, user: str, topic: str):
    with subscribe(broker.port, "#", *credentials("operator")) as messages:
        assert DENIED in refusal(broker, topic, *credentials(user), payload=b"forged")
        refusal(broker, "earshot/farm/mark", *credentials("farm"))
        messages.wait_for_topic("earshot/farm/mark", seconds=30)
        assert "forged" not in {message.payload for message in messages.all}


def test_mqtt_3_is_refused_in_silence(broker: Mosquitto):
    """The control: why stations speak MQTT 5, whose acknowledgement says it."""
    topic = "earshot/barn/hall/event"
    assert refusal(broker, topic, *credentials("farm"), version="mqttv311") == ""


@pytest.mark.parametrize(
    "options", [[], ["-u", "farm"], ["-u", "farm", "-P", "guess"], ["-u", "mole", "-P", "x"]]
)
def test_nobody_comes_in_without_a_name_and_its_password(broker: Mosquitto, options: list[str]):
    assert DENIED in refusal(broker, "earshot/farm/status", *options)


READERS = [
    ("viewer", "earshot/farm/hall/event", True),
    ("viewer", "earshot/farm/command/reload", False),
    ("viewer", "earshot/farm/answer/operator", False),
    ("operator", "earshot/farm/hall/event", True),
    ("operator", "earshot/farm/answer/operator", True),
    ("barn", "earshot/farm/hall/event", False),
    ("barn", "earshot/farm/command/reload", False),
    ("barn", "earshot/barn/command/reload", True),
    ("farm", "earshot/farm/command/reload", True),
]


@pytest.mark.parametrize(("user", "topic", "reads"), READERS)
def test_who_reads_what(broker: Mosquitto, user: str, topic: str, reads: bool):
    writer = "operator" if "/command/" in topic else topic.split("/")[1]
    mark = f"earshot/{user}/command/mark" if user in ("farm", "barn") else "earshot/farm/mark"
    marker = "operator" if "/command/" in mark else "farm"
    with subscribe(broker.port, "#", *credentials(user)) as messages:
        assert refusal(broker, topic, *credentials(writer)) == ""
        assert refusal(broker, mark, *credentials(marker)) == ""
        messages.wait_for_topic(mark, seconds=30)
        assert (topic in {message.topic for message in messages.all}) is reads


def test_the_check_of_a_station_passes(broker: Mosquitto, tmp_path: Path):
    word = tmp_path / "word"
    word.write_text(word_of("farm") + "\n")
    settings = MqttSettings(port=broker.port, username="farm", password_file=word)
    assert check_round_trip(settings, "farm") > 0.0


def test_a_station_works_under_it_and_only_an_operator_commands_it(
    broker: Mosquitto, tmp_path: Path, tones_bundle: Bundle
):
    config = config_of(broker, tmp_path, tones_bundle)
    asked = ["-D", "publish", "response-topic", "earshot/farm/answer/operator"]
    topic = "earshot/farm/command/reload"
    with (
        subscribe(broker.port, "earshot/farm/#", *credentials("operator")) as messages,
        running_station(tmp_path, config) as station,
    ):
        messages.wait_for_topic("earshot/farm/hall/event", seconds=40)
        assert DENIED in refusal(broker, topic, *credentials("viewer"), payload=order())
        assert refusal(broker, topic, *credentials("operator"), *asked, payload=order()) == ""
        answer = messages.wait_for_topic("earshot/farm/answer/operator", seconds=30)
        assert '"ok": true' in answer[-1].payload
        assert len([m for m in messages.all if m.topic == topic]) == 1
        assert station.stop(30) == 0
    assert "refused by the broker" not in station.log
    assert word_of("farm") not in station.log


def order() -> bytes:
    return json.dumps(command()).encode()


def config_of(broker: Mosquitto, directory: Path, bundle: Bundle) -> dict[str, Any]:
    t = np.arange(32_000) / 16_000
    sound = np.concatenate([0.5 * np.sin(2 * np.pi * LOW_TONE_HZ * t), np.zeros(16_000)])
    soundfile.write(directory / "hall.wav", sound, 16_000, subtype="PCM_16")
    (directory / "word").write_text(word_of("farm"))
    return {
        "station": "farm",
        "bundle": bundle.path,
        "sources": [
            {"name": "hall", "kind": "file", "path": directory / "hall.wav", "at_end": "restart"}
        ],
        "mqtt": {
            "port": broker.port,
            "username": "farm",
            "password_file": directory / "word",
        },
        "http": {"enabled": False},
        "control": {"mqtt": True},
    }


AWAY = 50


def lost_by_a_kill(broker: Mosquitto, users: tuple[list[str], list[str]]) -> int:
    """Acknowledged messages that a subscriber that was away misses when the broker is killed."""
    reader, writer = users
    port = str(broker.port)
    away = [
        "mosquitto_sub",
        "-V",
        "mqttv5",
        "-p",
        port,
        "-c",
        "-i",
        "away",
        "-x",
        "3600",
        "-q",
        "1",
    ]
    away += ["-t", "earshot/farm/hall/event", *reader]
    with broker:
        subprocess.run([*away, "-E"], check=True)
        lines = "".join(f"{number}\n" for number in range(AWAY)).encode()
        subprocess.run(
            ["mosquitto_pub", "-V", "mqttv5", "-p", port, "-q", "1", "-t", "earshot/farm/hall/event",
             "-l", *writer],
            input=lines, check=True,
        )  # fmt: skip
        assert (
            refusal(broker, "earshot/farm/mark", *writer) == ""
        )  # whatever came before was dealt with
    with broker:  # leaving the one before killed it
        ran = subprocess.run(
            [*away, "-W", "5", "-C", str(AWAY)], capture_output=True, check=False, timeout=60
        )
    return AWAY - len(set(ran.stdout.split()))


def test_what_was_acknowledged_outlives_a_kill_of_the_broker(tmp_path: Path):
    users = credentials("viewer"), credentials("farm")
    assert lost_by_a_kill(shipped_broker(tmp_path), users) == 0


def test_with_the_defaults_it_does_not(tmp_path: Path):
    """The control: persistence as Debian sets it up, saved every half hour."""
    stock = Mosquitto(tmp_path, "persistence true", f"persistence_location {tmp_path}/")
    assert lost_by_a_kill(stock, ([], [])) == AWAY
