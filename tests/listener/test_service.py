"""Signals to a real process, and a real datagram socket as the service manager's."""

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

from listener.health import Health
from listener.service import (
    STEP_SECONDS,
    ClockWatch,
    ServiceManager,
    Watchdog,
    return_large_blocks,
    unix_minus_monotonic,
)
from tests.rigs.mosquitto import wait_until

WAITER = """
import sys
from listener.service import Signals
signals = Signals()
assert signals.wait(0.0) == set()
print("waiting", flush=True)
print(*signals.wait(60.0), *signals.wait(0.0), flush=True)
"""
WOKEN = """
from threading import Thread
from listener.service import Signals
signals = Signals()
Thread(target=signals.wake).start()
print(signals.wait(60.0))
for _ in range(100_000):  # more than a socket takes
    signals.wake()
print(signals.wait(60.0))
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
HEARD = "STATUS=0 of 0 source(s) heard, bundle home-alarms@3"


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
def test_a_signal_ends_the_wait_and_is_told_once(number: signal.Signals):
    with waiting_process() as process:
        process.send_signal(number)
        output, _ = process.communicate(timeout=20)
        assert (output, process.returncode) == (f"{int(number)}\n", 0)


def test_a_thread_ends_the_wait_and_never_waits_for_it():
    woken = [sys.executable, "-c", WOKEN]
    ended = subprocess.run(woken, capture_output=True, text=True, timeout=20, check=True)
    assert ended.stdout == "set()\nset()\n"


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_the_service_manager_is_told(
    abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    address = f"@earshot-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with notify_socket(address, monkeypatch) as wire:
        manager = ServiceManager()
        manager.ready()
        manager.alive()
        manager.status("2 sources")
        manager.stopping()
        told = [wire.recv(100).decode() for _ in range(4)]
    assert told == ["READY=1", "WATCHDOG=1", "STATUS=2 sources", "STOPPING=1"]


def test_a_status_is_sent_when_it_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with notify_socket(str(tmp_path / "notify"), monkeypatch) as wire:
        manager = ServiceManager()
        for text in ("1 source", "1 source", "2 sources", "1 source"):
            manager.status(text)
        told = [wire.recv(100).decode() for _ in range(3)]
    assert told == ["STATUS=1 source", "STATUS=2 sources", "STATUS=1 source"]


@pytest.mark.parametrize(("offset", "seconds"), [(0, 1.5), (1, None)], ids=["ours", "another's"])
def test_the_watchdog_of_another_process_is_not_ours(
    offset: int, seconds: float | None, monkeypatch: pytest.MonkeyPatch
):
    """What a daemon starts inherits the variables, and must not feed it (sd_watchdog_enabled(3))."""
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


def test_a_service_manager_that_is_gone_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    ServiceManager().ready()
    assert caplog.messages == ["service manager: cannot be told READY=1: No such file or directory"]


@pytest.mark.parametrize(("value", "seconds"), [("1500000", 1.5), (None, None)])
def test_the_watchdog_says_how_often_it_wants_to_be_fed(
    value: str | None, seconds: float | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if value is not None:
        monkeypatch.setenv("WATCHDOG_USEC", value)
    assert ServiceManager().watchdog_seconds == seconds


def test_the_two_clocks_differ_by_what_is_given() -> None:
    assert time.monotonic() + unix_minus_monotonic() == pytest.approx(time.time(), abs=1.0)


@pytest.mark.parametrize("step", [3600.0, -7200.0, 0.6])
def test_a_step_is_noticed_once(monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    now = time.time
    watch = ClockWatch()
    assert watch.step_seconds() == 0.0
    monkeypatch.setattr(time, "time", lambda: now() + step)
    assert watch.step_seconds() == pytest.approx(step, abs=0.1)
    assert watch.step_seconds() == 0.0


def test_a_clock_that_is_moved_little_by_little_has_not_stepped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time
    watch = ClockWatch()
    for slewed in range(1, 11):
        monkeypatch.setattr(time, "time", lambda by=slewed: now() + by * STEP_SECONDS / 2)
        assert watch.step_seconds() == 0.0


def megabytes_kept(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_what_was_freed_between_what_stays_is_given_back():
    assert megabytes_kept("set") < 10
    assert megabytes_kept("as it comes") > 30


def test_it_may_be_called_twice():
    return_large_blocks()
    return_large_blocks()


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
