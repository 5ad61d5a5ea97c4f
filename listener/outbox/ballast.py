"""A file that is there to be removed: on a full disk even a DELETE needs room."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

log = logging.getLogger(__name__)

BALLAST_BYTES = 1024 * 1024
LEAST_FREE_BYTES = 4 * BALLAST_BYTES  # or what it made room for would be lost at once


class Ballast:
    """A megabyte beside the outbox's file; `path` None keeps none."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def take(self) -> None:
        """Have it there; on a disk that is full or nearly so it is not."""
        if self._path is None or self._path.exists():
            return
        try:
            if shutil.disk_usage(self._path.parent).free < LEAST_FREE_BYTES:
                return
            with self._path.open("wb") as file:
                self._path.chmod(0o600)
                os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
        except OSError as error:
            log.debug("outbox: no ballast: %s", error)
            self.throw_off()  # an empty one would be taken for the real one

    def throw_off(self) -> bool:
        """Whether there was one to make room with."""
        if self._path is None or not self._path.exists():
            return False
        try:
            self._path.unlink()
        except OSError as error:  # for instance a disk that became read-only
            log.debug("outbox: the ballast stays: %s", error)
            return False
        return True
