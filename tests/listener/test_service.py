"""Signals to a real process, and a real datagram socket as the service manager's."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from listener.service import ServiceManager

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
