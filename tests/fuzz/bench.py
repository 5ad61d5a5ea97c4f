"""Where a target works: a folder of its own, which it must not write beside."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = (
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.symlink",
    "os.link",
    "os.truncate",
)
_ALWAYS = ("/dev/", "/proc/self/")


class OutsideError(BaseException):
    """Something was written beside the folder; no code of ours may catch it."""


class _Guard:
    """An audit hook (PEP 578) stays for as long as the process: it looks only while there is a folder."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self._hooked = False

    def watch(self, folder: Path) -> None:
        if not self._hooked:
            sys.addaudithook(self._look)
            self._hooked = True
        self.folder = str(folder)

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None:
            return
        if event == "open":
            path, _, flags = arguments
            changed = [path] if isinstance(flags, int) and flags & _WRITING else []
        else:
            changed = list(arguments) if event in _CHANGES else []
        for path in changed:
            if isinstance(
                path, str | bytes | os.PathLike
            ):  # and no descriptor that was opened before
                self._check(_absolute(path, arguments[-1]), event)

    def _check(self, path: str, event: str) -> None:
        if not path.startswith((str(self.folder), *_ALWAYS)):
            raise OutsideError(f"{event}: {path}")


def _absolute(path: str | bytes | os.PathLike[str], directory: object) -> str:
    """`directory` is what os.remove and its like call dir_fd."""
    known = (
        isinstance(directory, int)
        and directory >= 0
        and Path(f"/proc/self/fd/{directory}").exists()
    )
    base = Path(f"/proc/self/fd/{directory}").readlink() if known else Path.cwd()
    return os.path.normpath(base / os.fsdecode(path))


_guard = _Guard()


@contextmanager
def only_inside(folder: Path) -> Iterator[None]:
    """While it is held, what opens a file to write or changes a name outside the folder fails.

    Raises:
        OutsideError: there, where it happens.
    """
    _guard.watch(folder)
    try:
        yield
    finally:
        _guard.folder = None
