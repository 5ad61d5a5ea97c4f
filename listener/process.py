"""Exit codes and logs of every command."""

import io
import logging
import os
import sys
from enum import IntEnum

_ESCAPED = "backslashreplace"  # a name of a file that is not UTF-8


class ExitCode(IntEnum):
    """How a command ended, for scripts and service managers."""

    DONE = 0
    FAILED = 1  # a check or a gate failed
    USAGE = 2  # wrong arguments or config; one line on stderr says what
    LOST = 3  # the station lost a source, or failed while it ran


def escape_output() -> None:
    """From now on, what stdout or stderr cannot encode is escaped; JSON gives the same name again."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPED)


def printable(name: str) -> str:
    """The name of a file with what is not UTF-8 escaped."""
    return name.encode("utf-8", _ESCAPED).decode()


def set_up_logging(level: str) -> None:
    """Log to stderr; without times under systemd, whose journal adds them."""
    journal = "JOURNAL_STREAM" in os.environ
    form = "%(levelname)s %(message)s" if journal else "%(asctime)s %(levelname)s %(message)s"
    # sounddevice redirects file descriptor 2 to /dev/null while PortAudio lists devices, and log lines
    # of other threads would be lost
    stderr = io.TextIOWrapper(
        io.FileIO(os.dup(sys.stderr.fileno()), "w"), errors=_ESCAPED, write_through=True
    )
    logging.basicConfig(stream=stderr, level=level.upper(), format=form, force=True)
