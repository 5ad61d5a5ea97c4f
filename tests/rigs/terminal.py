"""A program in a real pseudo-terminal, and what it shows there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7])(?:;\d+)*m")


class TerminalProgram:
    """A program whose stdin, stdout and stderr are a terminal of a given size."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self.raw = ""

    @property
    def text(self) -> str:
        """All that was shown, without what moves the cursor or colours."""
        return _CONTROL.sub("", self.raw)

    def read_until(self, shown: Callable[[str], bool], seconds: float) -> None:
        """Read until what was shown is so, or fail at the deadline or the program's end."""
        deadline = time.monotonic() + seconds
        while not shown(self.text):
            if not self._read(deadline):
                raise AssertionError(f"ended or too late; shown:\n{self.text[-3000:]}")

    def read_to_end(self, seconds: float) -> int:
        """Read until the program ends; its exit code."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        return self.process.wait(max(0.0, deadline - time.monotonic()))

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            content = os.read(self._master, 65536)
        except OSError:  # how Linux tells that nobody writes any more
            return False
        self.raw += content.decode(errors="replace")
        return bool(content)


@contextmanager
def in_terminal(
    *arguments: str,
    columns: int = 100,
    rows: int = 30,
    environment: Mapping[str, str] | None = None,
) -> Iterator[TerminalProgram]:
    """The program, killed at the end if it still runs."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    own = {name: value for name, value in os.environ.items() if name not in _DECIDING}
    process = subprocess.Popen(
        arguments,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**own, "TERM": "xterm-256color", **(environment or {})},
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield TerminalProgram(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)


_DECIDING = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
