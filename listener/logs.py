"""Logs on stderr, one line per fact."""

from __future__ import annotations

import io
import logging
import os
import sys


def set_up_logging(level: str) -> None:
    """Log to stderr; under systemd without times, which the journal has."""
    journal = "JOURNAL_STREAM" in os.environ
    form = "%(levelname)s %(message)s" if journal else "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(stream=_own_stderr(), level=level.upper(), format=form, force=True)


def _own_stderr() -> io.TextIOBase:
    # sounddevice sends file descriptor 2 to /dev/null for as long as PortAudio looks for devices, and
    # what another thread logs meanwhile would be lost
    return io.TextIOWrapper(io.FileIO(os.dup(sys.stderr.fileno()), "w"), write_through=True)
