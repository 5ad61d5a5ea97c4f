"""hung thread: the watchdog starves only when a stage makes no progress."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from listener.detection.bundle import Bundle
from tests.bundles import LOW_TONE_HZ
from tests.rigs.mosquitto import free_port, wait_until
from tests.rigs.service_manager import managed
from tests.rigs.station import LISTENER, get, write_toml

RATE = 16_000
WATCHDOG_SECONDS = 3.0
HANGING = [sys.executable, "-m", "tests.rigs.hanging_daemon"]


@pytest.fixture
def config(tmp_path: Path, tones_bundle: Bundle) -> dict[str, Any]:
    """A beep a second, for ever."""
    t = np.arange(RATE) / RATE
    sound = np.concatenate([0.5 * np.sin(2 * np.pi * LOW_TONE_HZ * t), np.zeros(RATE)])
    soundfile.write(tmp_path / "beep.wav", sound, RATE, subtype="PCM_16")
    source = {"name": "hall", "kind": "file", "path": tmp_path / "beep.wav", "at_end": "restart"}
    return {
        "bundle": tones_bundle.path,
        "sources": [source],
        "http": {"port": free_port()},
        "detection": {"default_policy": {"smoothing_seconds": 0.0}},
    }


@pytest.fixture
def full_pipe() -> Iterator[int]:
    """The writing end of a full pipe: a write to it never returns."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"\n" * 4096)
    os.set_blocking(writer, True)
    yield writer
    os.close(writer)
    os.close(reader)


def log(directory: Path) -> str:
    return (directory / "stderr").read_text()


def run(directory: Path, config: dict[str, Any]) -> list[str]:
    return [*LISTENER, "run", "--config", str(write_toml(directory / "config.toml", config))]


def test_a_hung_engine_starves_the_watchdog_and_the_log_shows_where(
    config: dict[str, Any], tmp_path: Path
):
    path = write_toml(tmp_path / "config.toml", config)
    command = [*HANGING, str(path)]
    with managed(tmp_path, command, WATCHDOG_SECONDS, stdout=subprocess.DEVNULL) as unit:
        unit.wait_for_feedings(1)
        assert unit.process.wait(60) == -signal.SIGABRT
    assert unit.starved
    assert "inference: stalled for" in log(tmp_path)
    assert any(line.startswith("STATUS=inference: stalled for") for line in unit.told)
    assert "in infer" in log(tmp_path)  # the stack of the thread that hung
    assert "sink:console: stalled" not in log(tmp_path)


def test_a_hung_sink_starves_the_watchdog(config: dict[str, Any], tmp_path: Path, full_pipe: int):
    with managed(tmp_path, run(tmp_path, config), WATCHDOG_SECONDS, stdout=full_pipe) as unit:
        assert unit.process.wait(60) == -signal.SIGABRT
    assert unit.starved
    assert "sink:console: stalled for" in log(tmp_path)
    assert "inference: stalled" not in log(tmp_path)


def test_a_bare_timer_does_not_notice(config: dict[str, Any], tmp_path: Path):
    """The control: the same engine hangs, a thread feeds the watchdog, and no patch is analysed again."""
    path = write_toml(tmp_path / "config.toml", config)
    command = [*HANGING, str(path), "--bare-timer"]
    with managed(tmp_path, command, WATCHDOG_SECONDS, stdout=subprocess.DEVNULL) as unit:
        wait_until(lambda: "inference: stalled for" in log(tmp_path), 40, "the engine hangs")
        patches = patches_of(config)
        unit.wait_for_feedings(5)  # more than a period of the watchdog
        assert (unit.starved, unit.process.poll()) == (False, None)
        assert patches_of(config) == patches


def patches_of(config: dict[str, Any]) -> str:
    lines = get(config["http"]["port"], "/metrics")[1].splitlines()
    return next(line for line in lines if line.startswith("listener_patches_total"))


def test_a_source_without_audio_starves_nothing_and_the_stop_is_announced(
    config: dict[str, Any], tmp_path: Path
):
    """A source without audio is not a hung stage: a restart would not bring it back."""
    config["sources"] = [{"name": "pipe", "kind": "stdin"}]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    with managed(tmp_path, run(tmp_path, config), WATCHDOG_SECONDS, **pipes) as unit:
        unit.wait_for_feedings(4)
        unit.process.send_signal(signal.SIGTERM)
        unit.wait_for(lambda told: "STOPPING=1" in told)
        assert unit.process.wait(30) == 0
        assert unit.process.stdin is not None
        unit.process.stdin.close()
    assert unit.told[:2] == ["READY=1", "STATUS=0 of 1 source(s) up, bundle tones@1"]
    assert not unit.starved


def test_a_station_whose_sink_hangs_can_be_stopped(
    config: dict[str, Any], tmp_path: Path, full_pipe: int
):
    with managed(tmp_path, run(tmp_path, config), 600.0, stdout=full_pipe) as unit:
        wait_until(lambda: "listener_patches_total" in metrics_or_nothing(config), 40, "it runs")
        wait_until(lambda: patch_count(config) >= 4, 40, "an event that cannot be printed")
        unit.process.send_signal(signal.SIGTERM)
        assert unit.process.wait(30) == 0
    assert "sink:console: did not stop in time" in log(tmp_path)


def metrics_or_nothing(config: dict[str, Any]) -> str:
    try:
        return get(config["http"]["port"], "/metrics")[1]
    except OSError:
        return ""


def patch_count(config: dict[str, Any]) -> float:
    return float(patches_of(config).split()[-1])
