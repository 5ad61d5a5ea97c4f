"""Disk full: "clips go first, live events last; state says so"."""

from __future__ import annotations

import json
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from listener.clips.layout import day_directories
from listener.detection.bundle import Bundle
from tests.bundles import LOW_TONE_HZ
from tests.rigs.full_disk import fill, small_disk
from tests.rigs.mosquitto import Messages, Mosquitto, free_port, subscribe, wait_until
from tests.rigs.station import get, running_station

RATE = 16_000
TOPIC = "earshot/test/hall/event"
SECONDS = 60.0


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of silence, then one of a tone, for half a minute."""
    times = np.arange(30 * RATE) / RATE
    tone = 0.5 * np.sin(2 * np.pi * LOW_TONE_HZ * times) * (times % 2 >= 1)
    path = tmp_path_factory.mktemp("sound") / "tones.wav"
    soundfile.write(path, tone.astype(np.float32), RATE, subtype="PCM_16")
    return path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Eight megabytes, of which the outbox's ballast is one."""
    with small_disk(tmp_path / "disk", megabytes=8) as mounted:
        yield mounted


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


def config(bundle: Bundle, sound: Path, state: Path, mqtt: int, http: int) -> dict[str, Any]:
    return {
        "station": "test",
        "bundle": bundle.path,
        "sources": [{"name": "hall", "kind": "file", "path": sound, "at_end": "restart"}],
        "mqtt": {"port": mqtt, "level_interval_seconds": 60.0},
        "outbox": {"path": state / "outbox.db"},
        "clips": {
            "enabled": True,
            "directory": state / "clips",
            "pre_seconds": 0.5,
            "post_seconds": 0.5,
            "keep_free_megabytes": 3,
        },
        "http": {"port": http},
        "console": {"enabled": False},
    }


def seqs(messages: Messages) -> list[int]:
    return [json.loads(message.payload)["seq"] for message in messages.all]


def clips_in(state: Path) -> int:
    return sum(1 for day in day_directories(state / "clips") for _ in day.glob("*.json"))


def wait_for_events(messages: Messages, more: int) -> None:
    goal = len(seqs(messages)) + more
    wait_until(lambda: len(seqs(messages)) >= goal, SECONDS, f"{goal} events")


def ready(port: int) -> str:
    return get(port, "/readyz")[1]


def is_full(disk: Path, http: int) -> bool:
    """Whether the outbox can write no more; what anything left is filled first."""
    fill(disk)
    return "outbox" in ready(http)


def test_clips_go_first_and_live_events_last(
    tones_bundle: Bundle, sound: Path, disk: Path, mosquitto: Mosquitto, tmp_path: Path
):
    http = free_port()
    settings = config(tones_bundle, sound, disk, mosquitto.port, http)
    with (
        subscribe(mosquitto.port, TOPIC) as messages,
        running_station(tmp_path, settings) as station,
    ):
        wait_until(lambda: clips_in(disk) >= 2, SECONDS, f"clips: {station.log}")
        fill(disk)
        wait_until(lambda: clips_in(disk) == 0, SECONDS, f"clips that go: {station.log}")
        wait_until(lambda: is_full(disk, http), SECONDS, f"a state that says so: {station.log}")
        wait_for_events(messages, 4)  # live, with nothing on disk
        for path in disk.glob("ballast*"):
            path.unlink()
        wait_until(lambda: "outbox" not in ready(http), SECONDS, f"a disk again: {station.log}")
        wait_for_events(messages, 2)
        wait_until(lambda: clips_in(disk) >= 1, SECONDS, f"clips again: {station.log}")
        assert station.stop(30.0) == 0
        found = seqs(messages)
    assert found == [*range(1, len(found) + 1)]  # none lost, none twice, in order
    with closing(sqlite3.connect(disk / "outbox.db")) as database:
        [(newest,)] = database.execute("SELECT MAX(seq) FROM messages")
    assert newest == found[-1]


def test_a_limit_on_file_sizes_is_a_full_disk(
    tones_bundle: Bundle, sound: Path, mosquitto: Mosquitto, tmp_path: Path
):
    """The write-ahead log cannot grow, and no SIGXFSZ kills the daemon."""
    http = free_port()
    settings = config(tones_bundle, sound, tmp_path, mosquitto.port, http) | {
        "clips": {"enabled": False}
    }
    with (
        subscribe(mosquitto.port, TOPIC) as messages,
        running_station(tmp_path, settings) as station,
    ):
        wait_for_events(messages, 1)
        resource.prlimit(station.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        wait_until(lambda: "outbox" in ready(http), SECONDS, f"a state that says so: {station.log}")
        wait_for_events(messages, 4)
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(station.process.pid, resource.RLIMIT_FSIZE, unlimited)
        wait_until(lambda: "outbox" not in ready(http), SECONDS, f"a disk again: {station.log}")
        assert station.stop(30.0) == 0
        found = seqs(messages)
    assert found == [*range(1, len(found) + 1)]


def test_on_a_full_disk_sqlite_alone_takes_nothing(disk: Path):
    """The control: the same disk without the outbox's care."""
    with closing(sqlite3.connect(disk / "bare.db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE messages (payload BLOB)")
        fill(disk)
        with pytest.raises(sqlite3.OperationalError, match="full"):
            database.execute("INSERT INTO messages VALUES (zeroblob(100000))")
