"""How a command ended, for scripts and service managers."""

from __future__ import annotations

import io
import logging
import os
import sys
from enum import IntEnum


class ExitCode(IntEnum):
    """The same for every command."""

    DONE = 0
    FAILED = 1  # a check or a gate failed
    USAGE = 2  # wrong use or wrong config; one line on stderr says what
    LOST = 3  # the runtime lost something it needs


# Logs on stderr, one line per fact.


def set_up_logging(level: str) -> None:
    """Log to stderr; under systemd without times, which the journal has."""
    journal = "JOURNAL_STREAM" in os.environ
    form = "%(levelname)s %(message)s" if journal else "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(stream=_own_stderr(), level=level.upper(), format=form, force=True)


def _own_stderr() -> io.TextIOBase:
    # sounddevice sends file descriptor 2 to /dev/null for as long as PortAudio looks for devices, and
    # what another thread logs meanwhile would be lost
    return io.TextIOWrapper(io.FileIO(os.dup(sys.stderr.fileno()), "w"), write_through=True)
