"""The watchdog is fed at half its time while every stage moves; a real datagram socket listens."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from listener.health import Health
from listener.service import ServiceManager
from listener.watchdog import Watchdog
from tests.rigs.mosquitto import wait_until

HEARD = "STATUS=0 of 0 source(s) heard, bundle home-alarms@3"


class Rig:
    """What the manager was told, and a watchdog of so many seconds or none."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self.health = Health((), "home-alarms@3")
        self.watchdog = Watchdog(ServiceManager(), self.health)

    def look(self) -> list[str]:
        """What one look says."""
        self.watchdog.look()
        told = []
        while True:
            try:
                told.append(self._wire.recv(500).decode())
            except BlockingIOError:
                return told


@contextmanager
def rig(folder: Path, monkeypatch: pytest.MonkeyPatch, seconds: float | None) -> Iterator[Rig]:
    monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "notify"))
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    if seconds is not None:
        monkeypatch.setenv("WATCHDOG_USEC", str(round(seconds * 1e6)))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.bind(str(folder / "notify"))
        wire.setblocking(False)
        yield Rig(wire)


def test_it_is_fed_at_once_and_not_again_before_half_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with rig(tmp_path, monkeypatch, 600.0) as station:
        assert station.look() == [HEARD, "WATCHDOG=1"]
        assert station.look() == []


def test_it_is_fed_again_after_half_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with rig(tmp_path, monkeypatch, 0.2) as station:
        station.look()
        wait_until(lambda: station.look() == ["WATCHDOG=1"], 20, "it is fed")


def test_a_stage_that_hangs_is_told_of_once_and_starves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    with rig(tmp_path, monkeypatch, 600.0) as station:
        station.health.heartbeats["inference"] = time.monotonic() - 11.0  # over STALLED_SECONDS
        (told,) = station.look()
        assert told.startswith("STATUS=inference: stalled for 11")
        assert station.look() == []
        assert len(caplog.messages) == 1
        station.health.beat("inference")
        assert station.look() == [HEARD, "WATCHDOG=1"]


def test_a_shorter_watchdog_is_stricter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with rig(tmp_path, monkeypatch, 5.0) as station:
        station.health.heartbeats["inference"] = time.monotonic() - 6.0
        assert "WATCHDOG=1" not in station.look()


def test_without_one_the_status_is_told_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with rig(tmp_path, monkeypatch, None) as station:
        assert station.look() == [HEARD]
