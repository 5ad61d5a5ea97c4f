"""commands: oversized, retained, stale, replayed, bad UTF-8, unknown, path tricks: refused with a reason,
counted, nothing changed, audio misses no sample.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from listener.detection.bundle import Bundle
from tests.rigs.commander import ask, command, publish
from tests.rigs.mosquitto import Messages, Mosquitto, free_port, subscribe, wait_until
from tests.rigs.station import StationProcess, get, running_station

RATE = 16_000
ROOT = "earshot/test"
LEVEL = f"{ROOT}/hall/level"
PATCH_HOP_SECONDS = 0.48
FLOOD = 10_000
LARGE = 50_000_000
ULID = "01JD9Z6T3W8Q5V1N2M4K7B0C9E"


@dataclass(frozen=True, slots=True)
class Running:
    """A station that plays faint noise for ever, and accepts commands."""

    broker: Mosquitto
    http_port: int
    process: StationProcess
    folder: Path

    def count(self, *results: str) -> float:
        """Commands with these results."""
        lines = get(self.http_port, "/metrics")[1].splitlines()
        found = [line for line in lines if line.startswith("listener_commands_total{")]
        wanted = [line for line in found if any(f'result="{result}"' in line for result in results)]
        return sum(float(line.split()[-1]) for line in wanted)

    def drops(self) -> float:
        """Patches and samples that were lost on the way."""
        names = ("listener_patches_dropped_total{", "listener_source_overflows_total{")
        lines = get(self.http_port, "/metrics")[1].splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(names))

    def files(self) -> dict[str, bytes]:
        """Every file in its folder except logs."""
        files = [
            path for path in self.folder.rglob("*") if path.is_file() and path.suffix != ".log"
        ]
        return {str(p): p.read_bytes() for p in files if p.name not in ("stdout", "stderr")}


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory, tones_bundle: Bundle) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("station")
    noise = np.random.default_rng(5).normal(0.0, 0.001, 4 * RATE)
    soundfile.write(folder / "hall.wav", noise, RATE, subtype="PCM_16")
    # the broker drops nothing, so the station counts what was sent
    with Mosquitto(folder, "max_queued_messages 0", "max_inflight_messages 100") as broker:
        config: dict[str, Any] = {
            "station": "test",
            "bundle": tones_bundle.path,
            "sources": [
                {"name": "hall", "kind": "file", "path": folder / "hall.wav", "at_end": "restart"}
            ],
            "mqtt": {"port": broker.port, "level_interval_seconds": 0.0},
            "http": {"port": free_port()},
            "clips": {"enabled": True, "ambient_per_hour": 0.0, "near_misses_per_hour": 0.0},
            "control": {"mqtt": True},
        }
        with (
            subscribe(broker.port, LEVEL) as messages,
            running_station(folder, config) as process,
        ):
            messages.wait_for_topic(LEVEL, seconds=60)
            yield Running(broker, config["http"]["port"], process, folder)


@pytest.fixture
def untouched(station: Running) -> Iterator[Running]:
    """Afterwards every file is the same, and no patch is missing."""
    before, done = station.files(), station.count("done")
    with subscribe(station.broker.port, LEVEL) as messages:
        messages.wait_for_topic(LEVEL, seconds=30)
        yield station
        messages.wait_for_topic(LEVEL, len(messages.all) + 2, seconds=30)
        assert_no_patch_is_missing(messages)
    assert (station.files(), station.drops()) == (before, 0)
    assert station.count("done") == done
    assert "Traceback" not in station.process.log
    assert "connection lost" not in station.process.log


def assert_no_patch_is_missing(levels: Messages) -> None:
    at = [datetime.fromisoformat(json.loads(message.payload)["at"]) for message in levels.all]
    steps = [(second - first).total_seconds() for first, second in itertools.pairwise(at)]
    assert steps == pytest.approx([PATCH_HOP_SECONDS] * len(steps), abs=0.002)


def at(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()


TRICKS = ("../../x", "/etc/passwd", "a/../../b", "..", "x\x00y", "x" * 65)
FIELDS: dict[str, Callable[[str], tuple[str, dict[str, Any]]]] = {
    "id": lambda trick: ("reload", command(id=trick)),
    "clip": lambda trick: ("flag", command(clip=trick, verdict="right")),
    "label of a clip": lambda trick: (
        "flag",
        command(clip=ULID, verdict="labels", labels=[{"label": trick}]),
    ),
    "source": lambda trick: ("snapshot", command(source=trick, seconds=2)),
    "label": lambda trick: ("threshold", command(label=trick, on=0.5)),
}
BAD: dict[str, Callable[[], tuple[str, bytes]]] = {
    "stale": lambda: ("reload", json.dumps(command(at=at(seconds=61))).encode()),
    "from the future": lambda: ("reload", json.dumps(command(at=at(seconds=-120))).encode()),
    "bad UTF-8": lambda: ("mute", b"\xff\xfe{}"),
    "half a character": lambda: ("flag", b'{"id": "\xc3"}'),
    "unknown": lambda: ("format", json.dumps(command()).encode()),
    "dots for a name": lambda: ("..", json.dumps(command()).encode()),
    "9 KB": lambda: ("reload", json.dumps(command(x="y" * 9000)).encode()),
}


def refusals(station: Running, commands: list[tuple[str, bytes]]) -> list[dict[str, Any]]:
    """The answers in order; at most ten a second, so that each has its own reason."""
    with subscribe(station.broker.port, f"{ROOT}/command/+/result") as messages:
        for number, (name, payload) in enumerate(commands):
            publish(station.broker.port, f"{ROOT}/command/{name}", payload)
            messages.wait_for(lambda _: True, number, 30)
        answers = messages.wait_for(lambda _: True, len(commands), 30)
    return [json.loads(answer.payload) for answer in answers]


def test_bad_commands_are_refused_with_a_reason_and_counted(untouched: Running):
    before = untouched.count("refused")
    answers = refusals(untouched, [make() for make in BAD.values()])
    assert [answer["ok"] for answer in answers] == [False] * len(BAD)
    assert all(answer["error"] for answer in answers)
    assert untouched.count("refused") == before + len(BAD)


@pytest.mark.parametrize("field", FIELDS)
def test_path_tricks_are_refused_in_every_name(field: str, untouched: Running):
    before = untouched.count("refused")
    commands = [FIELDS[field](trick) for trick in TRICKS]
    answers = refusals(
        untouched, [(name, json.dumps(fields).encode()) for name, fields in commands]
    )
    reasons = [answer["error"] for answer in answers if not answer["ok"]]
    assert ["match pattern" in reason for reason in reasons] == [True] * len(TRICKS)
    assert untouched.count("refused") == before + len(TRICKS)


def test_a_retained_command_is_refused_and_a_replayed_one_carried_out_once(station: Running):
    port = station.broker.port
    with subscribe(port, f"{ROOT}/command/+/result") as messages:
        publish(port, f"{ROOT}/command/reload", json.dumps(command()).encode(), "-r")
        answer = messages.wait_for_topic(f"{ROOT}/command/reload/result", seconds=30)[0].payload
    publish(port, f"{ROOT}/command/reload", b"", "-r")  # the broker forgets it
    assert "not retained" in json.loads(answer)["error"]
    once = command()
    assert ask(port, "reload", once)["ok"]
    assert "was not used before" in ask(port, "reload", once)["error"]


def test_fifty_megabytes_never_reach_the_station(untouched: Running):
    """The control: a client that sets no maximum packet size gets all of it."""
    port, topic = untouched.broker.port, f"{ROOT}/command/reload"
    before = untouched.count("done", "refused", "dropped")
    with subscribe(port, topic, "-F", "message %r %q %t %l") as naive:
        publish(port, topic, b"x" * LARGE)
        assert naive.wait_for_topic(topic, seconds=60)[0].payload == str(LARGE)
    assert untouched.count("done", "refused", "dropped") == before


def test_ten_thousand_at_once_are_all_counted_and_a_good_one_works_afterwards(station: Running):
    port, topic = station.broker.port, f"{ROOT}/command/reload"
    before = station.count("refused", "dropped")
    with subscribe(port, LEVEL) as levels:
        subprocess.run(
            ["mosquitto_pub", "-V", "mqttv5", "-p", str(port), "-q", "1", "-t", topic, "-l"],
            input=b"{}\n" * FLOOD,
            check=True,
        )
        wait_until(lambda: station.count("refused", "dropped") >= before + FLOOD, 60, "all counted")
        wait_until(lambda: ask(port, "reload", command())["ok"], 30, "commands are accepted again")
        levels.wait_for_topic(LEVEL, 4, seconds=30)
        assert_no_patch_is_missing(levels)
    assert station.count("refused", "dropped") < before + FLOOD + 100
    assert station.drops() == 0
    assert (
        station.process.log.count("at most 10 commands a second") < 100
    )  # logged, but not each time


NAIVE = """
import sys, threading
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
client = Client(CallbackAPIVersion.VERSION2)
client.on_message = lambda _client, _userdata, message: print(message.payload.decode(), flush=True)
client.on_subscribe = lambda *_: print("subscribed", flush=True)
client.on_connect = lambda *_: client.subscribe("naive")
client.connect("127.0.0.1", int(sys.argv[1]))
thread = threading.Thread(target=client.loop_forever)
thread.start()
thread.join()
print("deaf, and connected is", client.is_connected(), flush=True)
"""


def test_two_bytes_make_a_naive_client_deaf(station: Running):
    """The control: an exception in a callback ends paho's thread, and nothing says so."""
    port = station.broker.port
    process = subprocess.Popen(
        [sys.executable, "-c", NAIVE, str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "subscribed\n"
        publish(port, "naive", b"\xff\xfe")
        assert process.stdout.readline() == "deaf, and connected is True\n"
    finally:
        process.kill()
        process.communicate()
