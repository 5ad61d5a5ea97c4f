"""What systemd does with a unit of Type=notify and WatchdogSec: listens, and kills what is not fed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# the pid that the watchdog is meant for is only known once there is one
_AS_ITS_OWN = ["/bin/sh", "-c", 'WATCHDOG_PID=$$ exec "$@"', "sh"]
_LISTEN_SECONDS = 0.1


class Managed:
    """A process under a watchdog of so many seconds; what it said is in `told`."""

    def __init__(self, wire: socket.socket, process: subprocess.Popen[bytes], watchdog: float):
        self.process, self.told = process, list[str]()
        self.starved = False  # it was killed because nothing came in time
        self._wire, self._watchdog = wire, watchdog
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        fed_at: float | None = None  # None: the watchdog does not count before READY=1
        while self.process.poll() is None:
            for line in self._receive():
                fed_at = time.monotonic() if line in ("READY=1", "WATCHDOG=1") else fed_at
                fed_at = None if line == "STOPPING=1" else fed_at
            if fed_at is not None and time.monotonic() - fed_at > self._watchdog:
                self.starved = True
                self.process.send_signal(signal.SIGABRT)  # as WatchdogSignal= does by default
                fed_at = None

    def _receive(self) -> list[str]:
        try:
            lines = self._wire.recv(4096).decode().splitlines()
        except TimeoutError:
            return []
        with self._changed:
            self.told += lines
            self._changed.notify_all()
        return lines

    def wait_for(self, wanted: Callable[[list[str]], bool], seconds: float = 40.0) -> None:
        """Wait until what was told meets a condition."""
        with self._changed:
            if not self._changed.wait_for(lambda: wanted(self.told), seconds):
                raise TimeoutError(f"expected something else within {seconds} s than {self.told}")

    def wait_for_feedings(self, count: int, seconds: float = 40.0) -> None:
        """Wait until the watchdog was fed so many times more."""
        count += self.told.count("WATCHDOG=1")
        self.wait_for(lambda told: told.count("WATCHDOG=1") >= count, seconds)


@contextmanager
def managed(
    directory: Path, command: Sequence[str], watchdog_seconds: float, **pipes: Any
) -> Iterator[Managed]:
    """Run a command under a watchdog; stderr goes to the file `stderr`. It is killed at the end."""
    address = directory / "notify"
    environment = os.environ | {
        "NOTIFY_SOCKET": str(address),
        "WATCHDOG_USEC": str(round(watchdog_seconds * 1e6)),
    }
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire,
        (directory / "stderr").open("wb") as log,
    ):
        wire.bind(str(address))
        wire.settimeout(_LISTEN_SECONDS)
        process = subprocess.Popen([*_AS_ITS_OWN, *command], stderr=log, env=environment, **pipes)
        unit = Managed(wire, process, watchdog_seconds)
        try:
            yield unit
        finally:
            process.kill()
            process.wait()
            unit._thread.join()
