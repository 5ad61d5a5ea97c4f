"""The real command line, as a process of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.rigs.station import LISTENER

_TIMEOUT_SECONDS = 60.0


def run_listener(
    *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`listener ARGUMENTS...` to its end; wide enough that no line is broken."""
    return subprocess.run(
        [*LISTENER, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_SECONDS,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "200", **(environment or {})},
    )


def own_lines(stderr: str) -> list[str]:
    """The lines of stderr, but for the one that LiteRT's native code writes."""
    return [line for line in stderr.splitlines() if "XNNPACK delegate" not in line]


def one_line(stderr: str) -> str:
    """The only line of stderr, without the program's name."""
    lines = own_lines(stderr)
    assert len(lines) == 1, stderr
    assert lines[0].startswith("listener: "), stderr
    return lines[0].removeprefix("listener: ")
