"""A program that is run for each event."""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Full, Queue
from threading import Lock, Thread

from listener.config.outputs import HookSettings
from listener.files import to_json
from listener.health import Health
from listener.sinks.event_document import EventDocuments
from listener.sinks.sink import BundleNotice, EventNotice, Notice

log = logging.getLogger(__name__)

_LONGEST_OUTPUT_BYTES = 4096  # the rest is read and thrown away, so that the program does not wait
# Not the station's secrets, nor the sockets of its service manager.
_HANDED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")
_NAME = "hook"
_CLOSE_SECONDS = 1.0


# A program that is run once: what it reads, what it says, and its end, all within a time.


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How it ended: its exit code, None if it was killed for its time, and the first of its output."""

    code: int | None
    output: str


def run_child(program: Sequence[str], text: bytes, seconds: float) -> ChildEnd:
    """Run a program with `text` on its standard input; no shell.

    When the time is over it is killed, with all that it has started in its session.

    Raises:
        OSError: it cannot be started.
    """
    deadline = time.monotonic() + seconds
    with subprocess.Popen(  # noqa: S603 - the config says what is run
        program,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={name: os.environ[name] for name in _HANDED_ON if name in os.environ},
    ) as process:
        try:
            _hand_over(process, text)
            output = _read_output(process, deadline)
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as late:
            _kill(process)
            return ChildEnd(None, _readable(late.output or b""))
        return ChildEnd(code, _readable(output))


def _hand_over(process: subprocess.Popen[bytes], text: bytes) -> None:
    if process.stdin is None:
        return
    with suppress(BrokenPipeError):  # it need not read
        process.stdin.write(text)  # a pipe holds 64 KiB, an event has less than one
        process.stdin.close()


def _read_output(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """All until its end or the deadline, as far as it is kept."""
    kept = b""
    while process.stdout is not None:
        left = max(0.0, deadline - time.monotonic())
        if not select.select([process.stdout], [], [], left)[0]:
            raise subprocess.TimeoutExpired(process.args, left, kept)
        piece = os.read(process.stdout.fileno(), 65_536)
        if not piece:
            break
        kept += piece[: _LONGEST_OUTPUT_BYTES - len(kept)]
    return kept


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _readable(output: bytes) -> str:
    """In one line, without what would move a terminal."""
    text = output.decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class HookSink:
    """Runs the program with the JSON of each start and end on its standard input, a few at a time.

    One at a time, they run in order. What comes while too many wait is left out. That, a program that
    cannot be started, one that ends with another code than 0 and one that is killed for its time are
    counted and told of.
    """

    takes = (BundleNotice, EventNotice)

    def __init__(self, settings: HookSettings, documents: EventDocuments, health: Health) -> None:
        self._settings, self._documents, self._health = settings, documents, health
        self._waiting: Queue[bytes | None] = Queue(settings.max_waiting_events)
        self._counting = Lock()
        self._crowded = False
        health.sink_failures[_NAME] = 0
        self._threads = [
            Thread(name=f"hook-{number}", target=self._work, daemon=True)
            for number in range(settings.parallel)
        ]
        for thread in self._threads:
            thread.start()

    def handle(self, notice: Notice) -> None:
        """Queue one event; does not block."""
        if isinstance(notice, BundleNotice):
            self._documents.rename(notice)
        elif isinstance(notice, EventNotice):
            self._put(to_json(self._documents.of(notice)).encode() + b"\n")

    def _put(self, line: bytes) -> None:
        try:
            self._waiting.put_nowait(line)
        except Full:
            self._count()
            if not self._crowded:
                log.warning("hook: too many events wait, the newest are left out")
            self._crowded = True
        else:
            self._crowded = False

    def close(self) -> None:
        """Run what waits, for a second at most."""
        deadline = time.monotonic() + _CLOSE_SECONDS
        for _ in self._threads:
            try:
                self._waiting.put(None, timeout=max(0.0, deadline - time.monotonic()))
            except Full:
                break
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if left := self._waiting.qsize():
            log.warning("hook: %d event(s) left out, the station stops", left)

    def _work(self) -> None:
        while (line := self._waiting.get()) is not None:
            self._run(line)

    def _run(self, line: bytes) -> None:
        program, seconds = self._settings.program, self._settings.timeout_seconds
        try:
            end = run_child(program, line, seconds)
        except OSError as error:
            self._tell("%s: cannot be started: %s", program[0], error.strerror)
            return
        if end.code is None:
            self._tell("%s: killed after %g s: %s", program[0], seconds, end.output)
        elif end.code != 0:
            self._tell("%s: ended with %d: %s", program[0], end.code, end.output)
        elif end.output:
            log.info("hook: %s: %s", program[0], end.output)

    def _tell(self, message: str, *values: object) -> None:
        self._count()
        log.warning("hook: " + message, *values)

    def _count(self) -> None:
        with self._counting:
            self._health.sink_failures[_NAME] += 1
