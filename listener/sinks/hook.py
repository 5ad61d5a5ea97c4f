"""Runs a program for each event."""

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
from threading import Lock, Thread, current_thread

from listener.config.outputs import HookSettings
from listener.faults import FaultBarrier
from listener.health import Health
from listener.sinks.event_document import EventDocuments
from listener.sinks.sink import BundleNotice, EventNotice, Notice

log = logging.getLogger(__name__)

_NAME = "hook"
_CLOSE_SECONDS = 1.0
_MAX_OUTPUT_BYTES = 4096  # the rest is read and discarded, so that the program does not block
# Not the station's secrets, nor the sockets of its service manager
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


class HookSink:
    """Runs the program with the JSON of each start and end on its standard input, a few at a time.

    With one at a time they run in order. Events that come while too many wait are dropped. These, and a
    program that cannot be started, exits with another code than 0 or is killed for its time, are counted
    and logged.
    """

    accepts = (BundleNotice, EventNotice)

    def __init__(self, settings: HookSettings, documents: EventDocuments, health: Health) -> None:
        self._settings, self._documents, self._health = settings, documents, health
        self._waiting: Queue[bytes | None] = Queue(settings.max_waiting_events)
        self._counting = Lock()
        self._dropping = False
        health.sink_failures[_NAME] = 0
        self._threads = [
            Thread(name=f"hook-{number}", target=self._run, daemon=True)
            for number in range(settings.parallel)
        ]
        for thread in self._threads:
            thread.start()

    def handle(self, notice: Notice) -> None:
        """Queue one event; does not block."""
        if isinstance(notice, BundleNotice):
            self._documents.set_bundle(notice)
        elif isinstance(notice, EventNotice):
            try:
                self._waiting.put_nowait(self._documents.line(notice))
            except Full:
                self._count_failure()
                if not self._dropping:
                    log.warning("hook: too many events wait, the newest are dropped")
                self._dropping = True
            else:
                self._dropping = False

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
            log.warning("hook: %d event(s) dropped, the station stops", left)

    def _run(self) -> None:
        barrier = FaultBarrier(current_thread().name, self._health.faults)
        while (line := self._waiting.get()) is not None:
            with barrier:
                self._run_program(line)

    def _run_program(self, line: bytes) -> None:
        program, seconds = self._settings.program, self._settings.timeout_seconds
        try:
            end = run_child(program, line, seconds)
        except OSError as error:
            self._fail("%s: cannot be started: %s", program[0], error.strerror)
            return
        if end.code is None:
            self._fail("%s: killed after %g s: %s", program[0], seconds, end.output)
        elif end.code != 0:
            self._fail("%s: exited with %d: %s", program[0], end.code, end.output)
        elif end.output:
            log.info("hook: %s: %s", program[0], end.output)

    def _fail(self, message: str, *values: object) -> None:
        self._count_failure()
        log.warning("hook: " + message, *values)

    def _count_failure(self) -> None:
        with self._counting:
            self._health.sink_failures[_NAME] += 1


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a program ended: its exit code, None if it was killed for its time; the start of its output."""

    code: int | None
    output: str


def run_child(program: Sequence[str], text: bytes, seconds: float) -> ChildEnd:
    """Run a program once with `text` on its standard input; no shell.

    After `seconds` it is killed, with everything that it started in its session.

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
        env={name: os.environ[name] for name in _INHERITED if name in os.environ},
    ) as process:
        try:
            if process.stdin is not None:
                with suppress(BrokenPipeError):  # it need not read
                    process.stdin.write(text)  # a pipe holds 64 KiB, an event has less than one
                    process.stdin.close()
            output = _read_output(process, deadline)
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as late:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return ChildEnd(None, _one_line(late.output or b""))
        return ChildEnd(code, _one_line(output))


def _read_output(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """The first bytes of the output; all of it is read, until its end or the deadline."""
    kept = b""
    while process.stdout is not None:
        left = max(0.0, deadline - time.monotonic())
        if not select.select([process.stdout], [], [], left)[0]:
            raise subprocess.TimeoutExpired(process.args, left, kept)
        piece = os.read(process.stdout.fileno(), 65_536)
        if not piece:
            break
        kept += piece[: _MAX_OUTPUT_BYTES - len(kept)]
    return kept


def _one_line(output: bytes) -> str:
    """The text in one line, without control characters of a terminal."""
    text = output.decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
