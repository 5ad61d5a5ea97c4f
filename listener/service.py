"""The daemon and its system: signals, the service manager and its watchdog, memory."""

import ctypes
import logging
import math
import os
import select
import signal
import socket
import time

from listener.health import STALLED_SECONDS, Health

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_WAKEUP_BYTES = 1024

# mallopt(3): parameters of glibc, as malloc.h numbers them
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
_LARGE_BYTES = 256 * 1024
_ARENAS = 2


class Signals:
    """SIGTERM, SIGINT and SIGHUP, awaited without polling and without work in a signal handler."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)  # only the byte on the wakeup socket counts

    def wait(self, seconds: float) -> set[signal.Signals]:
        """The signals since the last call, as soon as there is one; none after `seconds`."""
        readable, _, _ = select.select([self._reader], [], [], seconds)
        received = self._reader.recv(_WAKEUP_BYTES) if readable else b""
        return {signal.Signals(number) for number in received}


class ServiceManager:
    """systemd's notification socket (sd_notify(3)); does nothing where there is none."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        # systemd writes the leading zero byte of an abstract socket as @
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._status = ""

    @property
    def watchdog_seconds(self) -> float | None:
        """The period of the watchdog; None if there is none (sd_watchdog_enabled(3))."""
        microseconds = os.environ.get("WATCHDOG_USEC")
        ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        return int(microseconds) / 1e6 if microseconds and self._address and ours else None

    def ready(self) -> None:
        """The station has started."""
        self._send("READY=1")

    def alive(self) -> None:
        """Feed the watchdog: every stage makes progress."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The station stops."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`, sent when it changes."""
        if text != self._status:
            self._send(f"STATUS={text}")
        self._status = text

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
                connection.setblocking(False)  # a manager that reads nothing must not hold us up
                connection.sendto(message.encode(), self._address)
        except OSError as error:  # the station goes on without its manager
            log.warning("service manager: cannot send %s: %s", message, error.strerror)


class Watchdog:
    """Feeds the service manager's watchdog while every stage makes progress, and reports the status.

    A stage hangs when it has made none for STALLED_SECONDS, or for the watchdog's period if that is
    shorter. Stages beat every second or two, so the period should be five seconds or more.
    """

    def __init__(self, manager: ServiceManager, health: Health) -> None:
        self._manager, self._health = manager, health
        self._period = manager.watchdog_seconds or math.inf
        self._fed_at = -math.inf
        self._hangs = False  # a hang is logged once an episode

    def tick(self) -> None:
        """Feed the watchdog, or log which stage hangs; a few times within its period."""
        stalled = ", ".join(self._health.stalled(after_seconds=min(STALLED_SECONDS, self._period)))
        if not stalled:
            self._manager.status(self._health.summary())
            now = time.monotonic()
            # half the period, as sd_watchdog_enabled(3) advises
            if math.isfinite(self._period) and now - self._fed_at >= self._period / 2:
                self._manager.alive()
                self._fed_at = now
        elif not self._hangs:
            log.error("%s; the watchdog is not fed", stalled)
            self._manager.status(stalled)
        self._hangs = bool(stalled)


def return_large_blocks() -> None:
    """Return large blocks to the system when they are freed; call before threads start.

    glibc raises its threshold for such blocks to the largest one freed so far, and then a few clips of
    two megabytes leave holes: a station grew by a quarter in an hour of clips and stayed there. With a
    fixed threshold it shrinks back.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        log.debug("memory: no mallopt(3) here")
        return
    mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
    mallopt(_ARENA_MAX, _ARENAS)
