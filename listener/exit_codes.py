"""How a command ended, for scripts and service managers."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The same for every command."""

    DONE = 0
    FAILED = 1  # a check or a gate failed
    USAGE = 2  # wrong use or wrong config; one line on stderr says what
    LOST = 3  # the runtime lost something it needs
