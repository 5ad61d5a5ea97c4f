"""A program that is run once: what it reads, what it says, and its end, all within a time."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

_LONGEST_OUTPUT_BYTES = 4096  # the rest is read and thrown away, so that the program does not wait
# Not the station's secrets, nor the sockets of its service manager.
_HANDED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


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
