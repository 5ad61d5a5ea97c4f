"""kill -9 of the daemon.

No committed event lost; an open event is ended at the next start with reason `restart`.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from listener.detection.bundle import Bundle
from tests.bundles import LOW_TONE_HZ
from tests.rigs.mosquitto import Mosquitto, wait_until
from tests.rigs.slow_subscriber import SlowSubscriber, slow_subscriber
from tests.rigs.station import StationProcess, running_station

RATE = 16_000
KILLS = 5
TOPIC = "earshot/test/hall/event"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of silence, then one of a tone, for a minute."""
    times = np.arange(60 * RATE) / RATE
    tone = 0.5 * np.sin(2 * np.pi * LOW_TONE_HZ * times) * (times % 1.5 >= 0.5)
    path = tmp_path_factory.mktemp("sound") / "tones.wav"
    soundfile.write(path, tone.astype(np.float32), RATE, subtype="PCM_16")
    return path


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


def config(bundle: Bundle, sound: Path, port: int, **more: Any) -> dict[str, Any]:
    return {
        "station": "test",
        "bundle": bundle.path,
        "sources": [{"name": "hall", "kind": "file", "path": sound, "at_end": "restart"}],
        "mqtt": {"port": port, "level_interval_seconds": 60.0},
        "http": {"enabled": False},
        "console": {"enabled": False},
    } | more


def started(subscriber: SlowSubscriber) -> set[str]:
    return {document["id"] for document in subscriber.documents if document["phase"] == "start"}


def ends(subscriber: SlowSubscriber) -> dict[str, str | None]:
    """The reason of each event's end."""
    found = subscriber.documents
    return {document["id"]: document["reason"] for document in found if document["phase"] == "end"}


def committed(path: Path) -> set[int]:
    """What stands in the file of a station that is dead."""
    with closing(sqlite3.connect(path)) as connection:
        return {seq for (seq,) in connection.execute("SELECT seq FROM messages")}


def wait_for_new_event(station: StationProcess, subscriber: SlowSubscriber, known: int) -> None:
    wait_until(lambda: len(started(subscriber)) > known, 60.0, f"an event: {station.log}")


def test_five_kills_at_random_times_lose_no_event(
    tones_bundle: Bundle, sound: Path, mosquitto: Mosquitto, tmp_path: Path
):
    chance = random.Random(1)
    settings = config(tones_bundle, sound, mosquitto.port)
    on_disk: set[int] = set()
    with slow_subscriber(mosquitto.port, TOPIC) as subscriber:
        for _ in range(KILLS):
            known = len(started(subscriber))
            with running_station(tmp_path, settings) as station:
                wait_for_new_event(station, subscriber, known)
                time.sleep(chance.uniform(0.0, 2.0))  # the moment of the kill
                station.process.kill()
            on_disk |= committed(tmp_path / "outbox.db")
        with running_station(tmp_path, settings) as station:
            wait_for_new_event(station, subscriber, len(started(subscriber)))
            assert station.stop(30.0) == 0
        on_disk |= committed(tmp_path / "outbox.db")
        wait_until(lambda: started(subscriber) <= ends(subscriber).keys(), 30.0, "every end")
    received = [document["seq"] for document in subscriber.documents]
    assert on_disk - set(received) == set()
    first = list(dict.fromkeys(received))
    assert first == [*range(1, len(first) + 1)]  # in order, and no hole
    reasons = list(ends(subscriber).values())
    assert reasons.count("restart") >= 1
    assert reasons.count("shutdown") <= 1
    durations = {
        d["id"]: d["duration_seconds"] for d in subscriber.documents if d["phase"] == "end"
    }
    restarted = [key for key, reason in ends(subscriber).items() if reason == "restart"]
    assert all(0.0 <= durations[key] <= 2.0 for key in restarted)  # no tone is longer than a second


def test_without_the_outbox_on_disk_an_open_event_never_ends(
    tones_bundle: Bundle, sound: Path, mosquitto: Mosquitto, tmp_path: Path
):
    settings = config(tones_bundle, sound, mosquitto.port, outbox={"enabled": False})
    with slow_subscriber(mosquitto.port, TOPIC) as subscriber:
        with running_station(tmp_path, settings) as station:
            wait_for_new_event(station, subscriber, 0)
            station.process.kill()
        open_ids = started(subscriber) - ends(subscriber).keys()
        with running_station(tmp_path, settings) as station:
            wait_for_new_event(station, subscriber, len(started(subscriber)))
            assert station.stop(30.0) == 0
    assert open_ids
    assert open_ids & ends(subscriber).keys() == set()
