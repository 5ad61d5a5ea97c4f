"""Saving changes on a disk that may be full, broken or away: never an error, but a state."""

import logging
import os
import shutil
import sqlite3
import time
from pathlib import Path

from listener.health import OutboxHealth
from listener.outbox import database, row

log = logging.getLogger(__name__)

RESERVE_BYTES = 1024 * 1024
LEAST_FREE_BYTES = 4 * RESERVE_BYTES  # or what the reserve made room for would be lost at once
_RETRY_SECONDS = 1.0
_DELETED_FOR_ROOM = 2_000  # finished messages, a megabyte or more


class OutboxError(Exception):
    """The outbox cannot be used; one line that says what was expected and what came."""


class Disk:
    """The database, or for a while none; owned by one thread.

    What cannot be saved stays in the Changes and is tried again a second later.

    Raises:
        OutboxError: on opening: another process uses the file.
    """

    def __init__(self, path: Path | None, health: OutboxHealth) -> None:
        self._path, self._health = path, health
        self._reserve = ReserveFile(path and path.with_name(path.name + ".ballast"))
        self._try_at = 0.0  # monotonic
        self.database: database.Database | None = None
        self.after_corrupt = False
        """The file was replaced by a new one since this was last set to False."""
        self.last_seq = database.seq_from_clock()
        try:
            self.last_seq = self._open().last_seq
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, sqlite3.Error) and database.is_locked(error):
                raise OutboxError(f"outbox.path: another process uses {self._path}") from error
            self._fail(error)

    def _open(self) -> database.Opened:
        opened = database.open_database(self._path)
        self.database = opened.database
        if opened.after_corrupt:
            self._health.set_aside += 1
            self.after_corrupt = True
        self._reserve.create()
        return opened

    def save(self, changes: row.Changes) -> bool:
        """Whether all of it is on disk now."""
        if not changes.any:
            return True
        if self._health.failing is not None and time.monotonic() < self._try_at:
            return False
        if self._write(changes):
            return True
        # what waits matters more than what is finished
        self._reserve.release()
        if self.database is not None:
            try:
                self.database.make_room(_DELETED_FOR_ROOM)
            except sqlite3.Error as error:
                log.debug("outbox: finished messages stay: %s", error)
        return self._write(changes)

    def _write(self, changes: row.Changes) -> bool:
        try:
            opened = self.database or self._reopen(changes)
            opened.save(changes)
        except (sqlite3.Error, OSError) as error:
            self.note_fault(error)
            return False
        changes.clear()
        if self._health.failing is not None:
            log.info("outbox: %s can be used again", self._path)
            self._health.failing = None
            self._reserve.create()
        return True

    def _reopen(self, changes: row.Changes) -> database.Database:
        opened = self._open()
        if opened.last_seq >= min(changes.rows, default=opened.last_seq + 1):
            opened.database.close()
            self.database = None
            raise OSError(f"{self._path}: holds a later seq; is the clock right?")
        return opened.database

    def note_fault(self, error: sqlite3.Error | OSError) -> None:
        """The disk could not be read or written: report it, and open a broken file again."""
        if (
            self.database is not None
            and isinstance(error, sqlite3.Error)
            and database.is_corrupt(error)
        ):
            self.database.close()
            self.database = None
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._try_at = time.monotonic() + _RETRY_SECONDS
        if self._health.failing is None:
            log.error("outbox: %s cannot be used, messages stay in memory: %s", self._path, error)
        self._health.failing = str(error)

    def close(self) -> None:
        """Close the file."""
        if self.database is not None:
            self.database.close()


class ReserveFile:
    """A megabyte beside the database, deleted when the disk is full: even a DELETE needs room.

    `path` None keeps none.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def create(self) -> None:
        """Create it if it is missing and the disk has room enough."""
        if self._path is None or self._path.exists():
            return
        try:
            if shutil.disk_usage(self._path.parent).free < LEAST_FREE_BYTES:
                return
            with self._path.open("wb") as file:
                self._path.chmod(0o600)
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        except OSError as error:
            log.debug("outbox: no reserve file: %s", error)
            self.release()  # an empty one would be taken for a full one

    def release(self) -> bool:
        """Delete it; whether there was one."""
        if self._path is None or not self._path.exists():
            return False
        try:
            self._path.unlink()
        except OSError as error:  # for instance a disk that became read-only
            log.debug("outbox: the reserve file stays: %s", error)
            return False
        return True
