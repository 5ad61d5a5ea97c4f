"""What a service manager and a shell say to the daemon, and what it says to them."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import math
import os
import select
import signal
import socket
import time
from types import FrameType

from listener.health import STALLED_SECONDS, Health

log = logging.getLogger(__name__)

_NO_SIGNAL = 0
_MANY_BYTES = 1024
STEP_SECONDS = 0.5  # NTP moves a clock that is off by less little by little, at most by 500 ppm
_LARGE_BYTES = 256 * 1024
_ARENAS = 2


_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


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


# The system clock beside the monotonic one, which nobody sets.


def unix_minus_monotonic() -> float:
    """Unix time of monotonic time 0; a step of the system clock shows here and nowhere else."""
    before, unix, after = time.monotonic(), time.time(), time.monotonic()
    return unix - (before + after) / 2  # half the error, should the scheduler step in between


class ClockWatch:
    """Notices when the system clock was set, and when the computer slept."""

    def __init__(self) -> None:
        self._offset = unix_minus_monotonic()

    def step_seconds(self) -> float:
        """By how much it was set forward since the last call, back if negative; mostly 0."""
        before, self._offset = self._offset, unix_minus_monotonic()
        step = self._offset - before
        return step if abs(step) > STEP_SECONDS else 0.0


# How the C library keeps memory, set for a process that runs for months.


# mallopt(3): parameters of glibc, as malloc.h numbers them
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8


def return_large_blocks() -> None:
    """Let large blocks go back to the system when they are freed; before threads are started.

    glibc raises its limit for such blocks to the largest that was ever freed, so that a few clips of two
    megabytes leave holes: a station grew by a quarter in an hour's clips and stayed there. With a fixed
    limit it comes back to where it was.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        log.debug("memory: no mallopt(3) here")
        return
    mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
    mallopt(_ARENA_MAX, _ARENAS)


# Tells the service manager how the station is, and feeds its watchdog while every stage moves.


class Watchdog:
    """Looks at the stages' heartbeats, a few times within the watchdog's time.

    A stage hangs when it has not moved for STALLED_SECONDS, or for the watchdog's time where that is
    shorter. Stages beat every second or two: under five seconds is no time for a watchdog.
    """

    def __init__(self, manager: ServiceManager, health: Health) -> None:
        self._manager, self._health = manager, health
        self._period = manager.watchdog_seconds or math.inf
        self._fed_at = -math.inf
        self._hangs = False  # so that it is told once an episode

    def look(self) -> None:
        """Feed it, or say which stage hangs."""
        stalled = self._health.stalled(after_seconds=min(STALLED_SECONDS, self._period))
        if stalled:
            self._tell(", ".join(stalled))
        else:
            self._manager.status(self._health.summary())
            self._feed()
        self._hangs = bool(stalled)

    def _tell(self, stalled: str) -> None:
        if not self._hangs:
            log.error("%s; the watchdog is not fed", stalled)
            self._manager.status(stalled)

    def _feed(self) -> None:
        now = time.monotonic()
        # half the period, as sd_watchdog_enabled(3) advises
        if math.isfinite(self._period) and now - self._fed_at >= self._period / 2:
            self._manager.alive()
            self._fed_at = now
