"""Signals to a real process, and a real datagram socket in the place of the service manager."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from listener import service
from listener.health import Health
from listener.service import ServiceManager, Watchdog
from tests.rigs.mosquitto import wait_until

WAITER = """
import sys
from listener.service import Signals
signals = Signals()
assert signals.wait(0.0) == set()
print("waiting", flush=True)
print(*signals.wait(60.0), *signals.wait(0.0), flush=True)
"""
# Blocks of 2 MB are freed, then smaller ones are left in holes between what stays.
PROGRAM = """
import sys
import psutil
import numpy as np
from listener.service import return_large_blocks

if sys.argv[1] == "set":
    return_large_blocks()
before = psutil.Process().memory_info().rss
for _ in range(2):
    large = [np.ones(2_000_000, np.uint8) for _ in range(32)]
    del large
blocks, kept = [], []
for _ in range(64):
    blocks.append(np.ones(1_000_000, np.uint8))
    kept.append(np.ones(10_000, np.uint8))
del blocks
print((psutil.Process().memory_info().rss - before) // 1_000_000)
"""
STATUS = "STATUS=0 of 0 source(s) up, bundle home-alarms@3"


@contextmanager
def waiting_process() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", WAITER], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=20)


@contextmanager
def notify_socket(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.bind("\0" + address[1:] if address.startswith("@") else address)
        wire.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield wire


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_wait_and_is_reported_once(number: signal.Signals):
    with waiting_process() as process:
        process.send_signal(number)
        output, _ = process.communicate(timeout=20)
        assert (output, process.returncode) == (f"{int(number)}\n", 0)


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_the_service_manager_receives_every_message(
    abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    address = f"@earshot-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with notify_socket(address, monkeypatch) as wire:
        manager = ServiceManager()
        manager.ready()
        manager.alive()
        manager.status("2 sources")
        manager.stopping()
        received = [wire.recv(100).decode() for _ in range(4)]
    assert received == ["READY=1", "WATCHDOG=1", "STATUS=2 sources", "STOPPING=1"]


def test_a_status_is_sent_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with notify_socket(str(tmp_path / "notify"), monkeypatch) as wire:
        manager = ServiceManager()
        for text in ("1 source", "1 source", "2 sources", "1 source"):
            manager.status(text)
        received = [wire.recv(100).decode() for _ in range(3)]
    assert received == ["STATUS=1 source", "STATUS=2 sources", "STATUS=1 source"]


@pytest.mark.parametrize(("offset", "seconds"), [(0, 1.5), (1, None)], ids=["ours", "another's"])
def test_the_watchdog_of_another_process_is_not_ours(
    offset: int, seconds: float | None, monkeypatch: pytest.MonkeyPatch
):
    """Child processes inherit the variables, and must not feed it (sd_watchdog_enabled(3))."""
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("WATCHDOG_USEC", "1500000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + offset))
    assert ServiceManager().watchdog_seconds == seconds


def test_without_a_service_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    manager = ServiceManager()
    manager.ready()
    assert manager.watchdog_seconds is None


def test_a_manager_that_reads_nothing_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    with notify_socket(str(tmp_path / "notify"), monkeypatch):
        manager = ServiceManager()
        for _ in range(10_000):  # more than a socket takes
            manager.alive()
    assert "service manager: cannot send WATCHDOG=1: Resource temporarily" in caplog.text


def test_a_lost_service_manager_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    ServiceManager().ready()
    assert caplog.messages == ["service manager: cannot send READY=1: No such file or directory"]


@pytest.mark.parametrize(("value", "seconds"), [("1500000", 1.5), (None, None)])
def test_the_period_of_the_watchdog(
    value: str | None, seconds: float | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if value is not None:
        monkeypatch.setenv("WATCHDOG_USEC", value)
    assert ServiceManager().watchdog_seconds == seconds


def megabytes_kept(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_blocks_freed_between_kept_ones_return_to_the_system():
    assert megabytes_kept("set") < 10
    assert megabytes_kept("as it comes") > 30


def test_it_may_be_called_twice():
    service.return_large_blocks()
    service.return_large_blocks()


class Rig:
    """A watchdog, and the messages to its service manager."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self.health = Health((), "home-alarms@3")
        self.watchdog = Watchdog(ServiceManager(), self.health)

    def tick(self) -> list[str]:
        """The messages of one tick."""
        self.watchdog.tick()
        sent = []
        while True:
            try:
                sent.append(self._wire.recv(500).decode())
            except BlockingIOError:
                return sent


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


def test_it_is_fed_at_once_and_not_again_before_half_its_period(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with rig(tmp_path, monkeypatch, 600.0) as station:
        assert station.tick() == [STATUS, "WATCHDOG=1"]
        assert station.tick() == []


def test_it_is_fed_again_after_half_its_period(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with rig(tmp_path, monkeypatch, 0.2) as station:
        station.tick()
        wait_until(lambda: station.tick() == ["WATCHDOG=1"], 20, "it is fed")


def test_a_stage_that_hangs_is_logged_once_and_starves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    with rig(tmp_path, monkeypatch, 600.0) as station:
        station.health.heartbeats["inference"] = time.monotonic() - 11.0  # over STALLED_SECONDS
        (sent,) = station.tick()
        assert sent.startswith("STATUS=inference: stalled for 11")
        assert station.tick() == []
        assert len(caplog.messages) == 1
        station.health.beat("inference")
        assert station.tick() == [STATUS, "WATCHDOG=1"]


def test_a_shorter_period_is_stricter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with rig(tmp_path, monkeypatch, 5.0) as station:
        station.health.heartbeats["inference"] = time.monotonic() - 6.0
        assert "WATCHDOG=1" not in station.tick()


def test_without_a_watchdog_the_status_is_still_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with rig(tmp_path, monkeypatch, None) as station:
        assert station.tick() == [STATUS]
