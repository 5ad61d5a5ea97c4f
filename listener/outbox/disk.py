"""Saving changes on a disk that may be full, broken or away: never an error, but a state."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import time
from pathlib import Path

from listener.health import OutboxHealth
from listener.outbox.database import (
    Database,
    Opened,
    is_corrupt,
    is_locked,
    open_database,
    seq_from_clock,
)
from listener.outbox.row import Changes

log = logging.getLogger(__name__)

BALLAST_BYTES = 1024 * 1024
_RETRY_SECONDS = 1.0
_SACRIFICED = 2_000  # messages that are done with, a megabyte or more


# A file that is there to be removed: on a full disk even a DELETE needs room.


LEAST_FREE_BYTES = 4 * BALLAST_BYTES  # or what it made room for would be lost at once


class ReserveFile:
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
        self._ballast = ReserveFile(path and path.with_name(path.name + ".ballast"))
        self._try_at = 0.0  # monotonic
        self.database: Database | None = None
        self.after_corrupt = False
        """The file was replaced by a new one, since this was last set to False."""
        self.last_seq = self._first_opening()

    def _first_opening(self) -> int:
        try:
            opened = self._open()
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, sqlite3.Error) and is_locked(error):
                raise OutboxError(f"outbox.path: another process uses {self._path}") from error
            self._fail(error)
            return seq_from_clock()
        return opened.last_seq

    def _open(self) -> Opened:
        opened = open_database(self._path)
        self.database = opened.database
        if opened.after_corrupt:
            self._health.set_aside += 1
            self.after_corrupt = True
        self._ballast.take()
        return opened

    def save(self, changes: Changes) -> bool:
        """Whether all of it is on disk now."""
        if not changes.any:
            return True
        if self._health.failing is not None and time.monotonic() < self._try_at:
            return False
        if self._try(changes):
            return True
        self._make_room()
        return self._try(changes)

    def _make_room(self) -> None:
        """The ballast goes, and with its room what has been done with: what waits matters more."""
        self._ballast.throw_off()
        if self.database is not None:
            try:
                self.database.give_room(_SACRIFICED)
            except sqlite3.Error as error:
                log.debug("outbox: what has been done with stays: %s", error)

    def _try(self, changes: Changes) -> bool:
        try:
            database = self.database or self._reopen(changes)
            database.save(changes)
        except (sqlite3.Error, OSError) as error:
            self.take_fault(error)
            return False
        changes.clear()
        self._recover()
        return True

    def _reopen(self, changes: Changes) -> Database:
        opened = self._open()
        if opened.last_seq >= min(changes.rows, default=opened.last_seq + 1):
            opened.database.close()
            self.database = None
            raise OSError(f"{self._path}: holds a later seq; is the clock right?")
        return opened.database

    def take_fault(self, error: sqlite3.Error | OSError) -> None:
        """Something could not be read or written: say so; a broken file is opened anew."""
        if self.database is not None and isinstance(error, sqlite3.Error) and is_corrupt(error):
            self.database.close()
            self.database = None
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._try_at = time.monotonic() + _RETRY_SECONDS
        if self._health.failing is None:
            log.error("outbox: %s cannot be used, messages stay in memory: %s", self._path, error)
        self._health.failing = str(error)

    def _recover(self) -> None:
        if self._health.failing is None:
            return
        log.info("outbox: %s can be used again", self._path)
        self._health.failing = None
        self._ballast.take()

    def close(self) -> None:
        """Let go of the file."""
        if self.database is not None:
            self.database.close()
