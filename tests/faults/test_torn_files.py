"""Torn or corrupt files: start anyway, quarantine, say so."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from listener.detection.bundle import Bundle
from listener.process import ExitCode
from tests.bundles import LOW_TONE_HZ
from tests.listener.outbox.doubles import open_store
from tests.rigs.bundle_copies import copy_bundle, flip_a_bit
from tests.rigs.mosquitto import Mosquitto, subscribe
from tests.rigs.station import running_station, write_toml

TORN = 300
MESSAGES = 25  # as many as the log holds before they move into the tables
RATE = 16_000

Damage = Callable[[bytearray, random.Random], object]


def cut_off(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content)) :]


def garble(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content))
    content[at : at + 64] = chance.randbytes(len(content[at : at + 64]))


def flip(content: bytearray, chance: random.Random) -> None:
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


DAMAGES: tuple[Damage, ...] = (cut_off, garble, flip)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Messages, each committed, as a process that is killed leaves them."""
    folder = tmp_path_factory.mktemp("written")
    opened = open_store(folder / "live.db")
    for number in range(MESSAGES):
        opened.put(2 * number + 1)
        assert opened.store.save()
    for suffix in ("", "-wal"):  # while it is open: closing would empty the WAL
        shutil.copy(folder / f"live.db{suffix}", folder / f"outbox.db{suffix}")
    (folder / "naive.jsonl").write_bytes(b"".join(row.payload + b"\n" for row in opened.waiting()))
    opened.crash()
    return folder


def recovered(folder: Path, damage: Damage, chance: random.Random) -> list[bytes]:
    """The messages of a copy whose WAL is damaged; the next one goes on behind them."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "outbox.db"
        shutil.copy(folder / "outbox.db", path)
        wal = bytearray((folder / "outbox.db-wal").read_bytes())
        damage(wal, chance)
        path.with_name("outbox.db-wal").write_bytes(wal)
        opened = open_store(path)
        found = [row.payload for row in opened.waiting()]
        opened.put(1)
        assert opened.waiting()[-1].seq == len(found) + 1
        assert opened.store.save()
        assert (opened.health.set_aside, opened.health.failing) == (0, None)
        opened.crash()
    return found


def test_every_torn_wal_gives_back_a_beginning_without_a_hole(written: Path):
    chance = random.Random(1)
    whole = (written / "naive.jsonl").read_bytes().splitlines()
    lengths = set()
    for number in range(TORN):
        found = recovered(written, DAMAGES[number % len(DAMAGES)], chance)
        assert found == whole[: len(found)]
        lengths.add(len(found))
    assert min(lengths) < MESSAGES / 4
    assert max(lengths) > 3 * MESSAGES / 4


def test_a_plain_file_of_lines_gives_back_what_was_never_written(written: Path):
    chance = random.Random(1)
    whole = (written / "naive.jsonl").read_bytes()
    messages = [json.loads(line) for line in whole.splitlines()]
    wrong = 0
    for number in range(TORN):
        content = bytearray(whole)
        DAMAGES[number % len(DAMAGES)](content, chance)
        found = read_lines(bytes(content))
        wrong += found != messages[: len(found)]
    assert wrong > 0


def read_lines(content: bytes) -> list[object]:
    """Up to the first line that is no JSON."""
    found = []
    for line in content.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


def test_the_daemon_starts_with_a_broken_outbox_and_a_broken_sidecar_and_says_so(
    tones_bundle: Bundle, tmp_path: Path
):
    times = np.arange(6 * RATE) / RATE
    soundfile.write(tmp_path / "hall.wav", 0.5 * np.sin(2 * np.pi * LOW_TONE_HZ * times), RATE)
    (tmp_path / "outbox.db").write_bytes(b"garbage" * 5000)
    day = tmp_path / "clips" / "2026" / "11" / "20"
    day.mkdir(parents=True)
    (day / "01JD9Z6T3W8Q5V1N2M4K7B0C9E.json").write_bytes(b"{garbage")
    source = {"name": "hall", "kind": "file", "path": tmp_path / "hall.wav", "at_end": "restart"}
    with Mosquitto(tmp_path) as mosquitto, subscribe(mosquitto.port, "earshot/test/#") as messages:
        config = {
            "station": "test",
            "bundle": tones_bundle.path,
            "sources": [source],
            "mqtt": {"port": mosquitto.port},
            "http": {"enabled": False},
            "clips": {"enabled": True},
        }
        with running_station(tmp_path, config) as station:
            (event,) = messages.wait_for_topic("earshot/test/hall/event", 1, 60.0)[:1]
            (gap,) = messages.wait_for_topic("earshot/test/gap", 1, 60.0)
            log = station.log
    assert "outbox.db is broken and was set aside as outbox.db.corrupt-" in log
    assert "clips: moved to quarantine" in log
    (aside,) = tmp_path.glob("outbox.db.corrupt-*")
    assert aside.read_bytes() == b"garbage" * 5000
    told = json.loads(gap.payload)
    assert (told["reason"], told["to_seq"]) == ("outbox_corrupt", told["seq"] - 1)
    assert json.loads(event.payload)["seq"] == told["seq"] + 1


def test_the_daemon_refuses_to_start_on_a_broken_bundle(tones_bundle: Bundle, tmp_path: Path):
    broken = copy_bundle(tones_bundle, tmp_path / "broken")
    flip_a_bit(broken)
    source = {"name": "hall", "kind": "stdin"}
    config = {"station": "test", "bundle": broken, "sources": [source], "http": {"enabled": False}}
    write_toml(tmp_path / "config.toml", config)
    with running_station(tmp_path, config) as station:
        assert station.process.wait(60.0) == ExitCode.USAGE
        assert "model.tflite" in station.log
