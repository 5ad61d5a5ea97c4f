"""The lock of a journal file, which the kernel releases when its holder is killed."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from optuna.storages.journal import JournalFileOpenLock


class JournalLock(JournalFileOpenLock):
    """Held by one process at a time; `path` is made and stays.

    Optuna's own locks are files that a killed process leaves behind; then all others wait for 30 s.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Wait until nobody else holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let the next one have it.

        Raises:
            RuntimeError: it is not held.
        """
        if self._descriptor is None:
            raise RuntimeError(f"{self._path}: expected a lock that is held")
        descriptor, self._descriptor = self._descriptor, None
        os.close(descriptor)
