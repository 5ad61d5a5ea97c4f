"""The main thread waits for nothing: not for snapshots, nor for the lock of the clip store."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from listener.clips.layout import LOCK_FILE, LOCK_SECONDS
from listener.detection.bundle import Bundle
from tests.bundles import LOW_TONE_HZ
from tests.rigs.commander import ask, command
from tests.rigs.mosquitto import Messages, Mosquitto, free_port, subscribe, wait_until
from tests.rigs.service_manager import Managed, managed
from tests.rigs.station import LISTENER, get, metric, write_toml

RATE = 16_000
WATCHDOG_SECONDS = 4.0
FAULTY = [sys.executable, "-m", "tests.rigs.faulty_daemon"]
RESULTS = "earshot/test/command/+/result"
SNAPSHOTS = 60


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as mosquitto:
        yield mosquitto


@pytest.fixture
def config(tmp_path: Path, tones_bundle: Bundle, broker: Mosquitto) -> dict[str, Any]:
    """A beep every two seconds, each a clip, and a stream that is away."""
    t = np.arange(RATE) / RATE
    sound = np.concatenate([0.5 * np.sin(2 * np.pi * LOW_TONE_HZ * t), np.zeros(RATE)])
    soundfile.write(tmp_path / "beep.wav", sound, RATE, subtype="PCM_16")
    return {
        "station": "test",
        "bundle": tones_bundle.path,
        "sources": [
            {"name": "hall", "kind": "file", "path": tmp_path / "beep.wav", "at_end": "restart"},
            {"name": "away", "kind": "stream", "url": "http://127.0.0.1:1/away"},
        ],
        "mqtt": {"port": broker.port, "level_interval_seconds": 0.0},
        "http": {"port": free_port()},
        "detection": {"default_policy": {"smoothing_seconds": 0.0}},
        "clips": {"enabled": True, "directory": tmp_path / "clips", "pre_seconds": 0.5},
        "control": {"mqtt": True, "state_file": tmp_path / "state.json"},
    }


@contextmanager
def watched(directory: Path, config: dict[str, Any], fault: str | None = None) -> Iterator[Managed]:
    """A station under a watchdog, alive at the beginning."""
    path = str(write_toml(directory / "config.toml", config))
    start = [*LISTENER, "run", "--config", path] if fault is None else [*FAULTY, path, fault]
    with managed(directory, start, WATCHDOG_SECONDS, stdout=subprocess.DEVNULL) as unit:
        unit.wait_for(lambda told: "READY=1" in told)
        yield unit


def stop(unit: Managed) -> int:
    unit.process.send_signal(signal.SIGTERM)
    return unit.process.wait(20)


def snapshots(port: int, count: int) -> None:
    """That many commands at once, each with an id of its own."""
    lines = [json.dumps(command(source="away", seconds=2)) for _ in range(count)]
    topic = "earshot/test/command/snapshot"
    publish = ["mosquitto_pub", "-V", "mqttv5", "-p", str(port), "-q", "1", "-t", topic, "-l"]
    subprocess.run(publish, input="\n".join(lines).encode() + b"\n", check=True)


def test_sixty_snapshots_of_a_source_that_is_away_do_not_starve_the_watchdog(
    config: dict[str, Any], tmp_path: Path, broker: Mosquitto
):
    with (
        subscribe(broker.port, RESULTS) as results,
        watched(tmp_path, config) as unit,
    ):
        wait_until(
            lambda: (metric(config["http"]["port"], "listener_patches_total") or 0) > 0, 40, "audio"
        )
        sent = 0
        while len(refused(results, "nothing was heard of source away")) < SNAPSHOTS:
            snapshots(broker.port, 10)  # which is the rate; what is over it is refused at once
            sent += 10
            results.wait_for(lambda _: True, sent, 30)
        unit.wait_for_feedings(2)
        assert stop(unit) == 0
    assert not unit.starved
    assert len(results.all) == sent


def refused(results: Messages, reason: str) -> list[str]:
    errors = [json.loads(message.payload)["error"] for message in results.all]
    return [error for error in errors if reason in error]


def test_a_main_thread_that_waits_for_each_is_killed(config: dict[str, Any], tmp_path: Path):
    """The control: each is answered within a second, and sixty of them take a minute."""
    with watched(tmp_path, config, "waits") as unit:
        assert unit.process.wait(60) == -signal.SIGABRT
    assert unit.starved


@contextmanager
def held_lock(clips: Path) -> Iterator[None]:
    """What a program does that hangs while it writes."""
    handle = os.open(clips / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def test_a_lock_that_another_process_holds_costs_nothing_but_time(
    config: dict[str, Any], tmp_path: Path, broker: Mosquitto
):
    port = config["http"]["port"]
    with watched(tmp_path, config) as unit:
        wait_until(lambda: (metric(port, "listener_clips_stored") or 0) > 0, 40, "a clip")
        clip = next((tmp_path / "clips").glob("*/*/*/*.flac")).stem
        with held_lock(tmp_path / "clips"):
            stored = metric(port, "listener_clips_stored")
            flag = ask(broker.port, "flag", command(clip=clip, verdict="right"))
            assert (flag["ok"], "another process holds the store's lock" in flag["error"]) == (
                False,
                True,
            )
            mute = command(source="hall", label="low_tone", seconds=0)
            assert ask(broker.port, "mute", mute)["ok"]
            unit.wait_for_feedings(4)  # of two seconds each: longer than the lock's limit
            assert metric(port, "listener_clips_stored") == stored
            assert get(port, "/healthz") == (200, "ok\n")
        wait_until(
            lambda: (metric(port, "listener_clips_stored") or 0) > (stored or 0) + 2, 40, "clips"
        )
        assert ask(broker.port, "flag", command(clip=clip, verdict="right"))["ok"]
        assert metric(port, "listener_clip_errors_total") == 0
        assert metric(port, 'listener_sink_dropped_total{sink="clips"}') == 0
        assert stop(unit) == 0
    assert not unit.starved
    assert "Traceback" not in (tmp_path / "stderr").read_text()


def test_a_store_whose_lock_is_held_is_not_opened(config: dict[str, Any], tmp_path: Path):
    (tmp_path / "clips").mkdir()
    path = write_toml(tmp_path / "config.toml", config)
    with held_lock(tmp_path / "clips"):
        start = [*LISTENER, "run", "--config", str(path)]
        ended = subprocess.run(start, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "another process holds the store's lock" in ended.stderr
    assert "Traceback" not in ended.stderr


BARE = "import fcntl, sys; fcntl.flock(open(sys.argv[1], 'r+'), fcntl.LOCK_EX)"


def test_a_lock_without_a_limit_is_waited_for_for_ever(tmp_path: Path):
    """The control."""
    (tmp_path / LOCK_FILE).touch()
    with held_lock(tmp_path), pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(
            [sys.executable, "-c", BARE, str(tmp_path / LOCK_FILE)],
            timeout=LOCK_SECONDS + 2.0,
            check=True,
        )
