"""What a service manager and a shell say to the daemon, and what it says to them."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
from types import FrameType

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_NO_SIGNAL = 0
_MANY_BYTES = 1024


class Signals:
    """SIGTERM, SIGINT and SIGHUP, waited for without polling and without work in a signal handler."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, self._ignore)

    def _ignore(self, _number: int, _frame: FrameType | None) -> None:
        """Only the byte on the wakeup socket counts."""

    def wait(self, seconds: float) -> set[signal.Signals]:
        """Those that came since the last time, as soon as there is one; none after `seconds` or `wake`."""
        readable, _, _ = select.select([self._reader], [], [], seconds)
        came = set(self._reader.recv(_MANY_BYTES)) if readable else set()
        return {signal.Signals(number) for number in came if number != _NO_SIGNAL}

    def wake(self) -> None:
        """Let `wait` return now; from any thread."""
        with contextlib.suppress(BlockingIOError):  # so much to wake for is there already
            self._writer.send(bytes([_NO_SIGNAL]))


class ServiceManager:
    """systemd's notification socket (sd_notify(3)); does nothing where there is none."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        # systemd writes an abstract socket's leading zero byte as @
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._status = ""

    @property
    def watchdog_seconds(self) -> float | None:
        """How often the watchdog wants to be fed; None without one (sd_watchdog_enabled(3))."""
        microseconds = os.environ.get("WATCHDOG_USEC")
        ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        return int(microseconds) / 1e6 if microseconds and self._address and ours else None

    def ready(self) -> None:
        """The station works."""
        self._send("READY=1")

    def alive(self) -> None:
        """Every stage moves."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`, sent when it is another than before."""
        if text != self._status:
            self._send(f"STATUS={text}")
        self._status = text

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
                wire.sendto(message.encode(), self._address)
        except OSError as error:  # the station goes on; its manager will say what it misses
            log.warning("service manager: cannot be told %s: %s", message, error.strerror)
