"""A small disk of memory, and something that fills it."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_BLOCKS = (b"\0" * 65_536, b"\0" * 4096)


@contextmanager
def small_disk(at: Path, megabytes: int) -> Iterator[Path]:
    """A file system of that size; skips the test where none can be mounted."""
    at.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(at)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def fill(disk: Path) -> Path:
    """A file `ballast<n>` of someone else's that leaves no room."""
    names = (disk / f"ballast{number}" for number in itertools.count())
    path = next(name for name in names if not name.exists())
    with path.open("wb", buffering=0) as file:
        for block in _BLOCKS:
            try:
                while file.write(block) == len(block):
                    pass
            except OSError:
                continue
    return path
