"""The outbox's tables in SQLite: WAL, every commit on the disk before it returns."""

import logging
import math
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from listener.files import iso_utc
from listener.outbox.row import Changes, OpenEvent, Row, State

log = logging.getLogger(__name__)

VERSION = 1
_STEP = 25  # messages
_LOG_PAGES = 128  # of 4096 bytes: half a megabyte
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

# AUTOINCREMENT remembers the highest seq for ever, also when every row is gone
_SCHEMA = f"""
BEGIN;
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    made_at REAL NOT NULL,
    is_gap INTEGER NOT NULL,
    state TEXT NOT NULL,
    tries INTEGER NOT NULL,
    reason TEXT
);
CREATE INDEX by_state ON messages (state, seq);
CREATE TABLE open_events (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL
);
CREATE TABLE analysed (source TEXT PRIMARY KEY, until REAL NOT NULL);
PRAGMA user_version = {VERSION};
COMMIT;
"""
_COLUMNS = ("seq", "topic", "payload", "made_at", "is_gap", "state", "tries", "reason")
_values_of = attrgetter(*_COLUMNS)  # of a Row
_LAST_SEQ = """
SELECT MAX(COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'messages'), 0),
           COALESCE((SELECT MAX(seq) FROM messages), 0))
"""


class Database:
    """The tables, for one thread at a time; `path` None keeps them in memory.

    Raises:
        sqlite3.Error: from every method; `is_corrupt` and `is_locked` tell which.
        OSError: on opening, the file cannot be created.
    """

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.touch(0o600)  # SQLite gives its WAL the same mode
        self._connection = sqlite3.connect(
            ":memory:" if path is None else path,
            timeout=0.0,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._prepare()
            self.last_seq = int(self._rows(_LAST_SEQ)[0][0])
            """The highest seq that was ever given before the file was opened, 0 for none."""
        except sqlite3.Error:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        self._rows("PRAGMA locking_mode = EXCLUSIVE")  # a second daemon must not send the same
        self._rows("PRAGMA journal_mode = WAL")
        self._rows("PRAGMA synchronous = FULL")
        # the log stays smaller than the reserve file, whose room its checkpoint needs on a full disk
        self._rows(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        version = self._rows("PRAGMA user_version")[0][0]
        if version == 0:
            self._connection.executescript(_SCHEMA)
        elif version != VERSION:
            raise _corrupt(f"expected version {VERSION}, got {version}")
        fault = self._rows("PRAGMA quick_check(1)")[0][0]
        if fault != "ok":
            raise _corrupt(fault)
        self._rows("BEGIN EXCLUSIVE")  # takes the lock, which stays
        self._rows("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, values).fetchall()

    def count(self, state: State) -> int:
        """How many messages are in a state."""
        return int(self._rows("SELECT COUNT(*) FROM messages WHERE state = ?", state)[0][0])

    def oldest(self, state: State, after: int, limit: int) -> list[Row]:
        """The first messages in a state whose seq is above `after`, in order."""
        query = (
            f"SELECT {', '.join(_COLUMNS)} FROM messages"  # noqa: S608 - names of ours
            " WHERE state = ? AND seq > ? ORDER BY seq LIMIT ?"
        )
        return [
            Row(seq, topic, payload, made_at, bool(is_gap), *rest)
            for seq, topic, payload, made_at, is_gap, *rest in self._rows(
                query, state, after, limit
            )
        ]

    def open_events(self) -> list[OpenEvent]:
        """Events that started and did not end, in the order in which they started."""
        query = "SELECT id, source, topic, payload FROM open_events ORDER BY rowid"
        return [OpenEvent(*values) for values in self._rows(query)]

    def analysed(self) -> dict[str, float]:
        """Until when each source is known to have been analysed, unix seconds."""
        return dict(self._rows("SELECT source, until FROM analysed"))

    def save(self, changes: Changes) -> None:
        """Write all of it, or nothing."""
        with self._connection:
            self._rows("BEGIN IMMEDIATE")
            self._many("DELETE FROM messages WHERE seq = ?", [(seq,) for seq in changes.removed])
            marks = "(?, ?, ?, ?, ?, ?, ?, ?)"
            rows = [_values_of(row) for row in changes.rows.values()]
            self._many(f"INSERT OR REPLACE INTO messages VALUES {marks}", rows)  # noqa: S608 - marks
            opened = [(e.id, e.source, e.topic, e.payload) for e in changes.opened.values()]
            self._many("INSERT OR REPLACE INTO open_events VALUES (?, ?, ?, ?)", opened)
            self._many("DELETE FROM open_events WHERE id = ?", [(id_,) for id_ in changes.closed])
            analysed = list(changes.analysed.items())
            self._many("INSERT OR REPLACE INTO analysed VALUES (?, ?)", analysed)

    def _many(self, query: str, values: Sequence[tuple[Any, ...]]) -> None:
        if values:
            self._connection.executemany(query, values)

    def replay(self, from_seq: int, to_seq: int) -> int:
        """Let finished messages be sent again; gives their number."""
        query = (
            "UPDATE messages SET state = 'again', reason = NULL"
            " WHERE state IN ('done', 'dead') AND seq BETWEEN ? AND ?"
        )
        return self._connection.execute(query, (from_seq, to_seq)).rowcount

    def delete_finished(self, before: float, keep: int, limit: int) -> None:
        """Delete finished messages: those made before then, and all but the last `keep`."""
        finished = "state IN ('done', 'dead', 'quarantined')"
        newest = f"SELECT seq FROM messages WHERE {finished} ORDER BY seq DESC LIMIT 1 OFFSET ?"  # noqa: S608
        query = (
            f"DELETE FROM messages WHERE seq IN (SELECT seq FROM messages WHERE {finished}"  # noqa: S608
            f" AND (made_at < ? OR seq <= ({newest})) ORDER BY seq LIMIT ?)"
        )
        self._rows(query, before, keep, limit)

    def make_room(self, limit: int) -> None:
        """Delete finished messages, in small steps: each needs room in the log."""
        for _ in range(0, limit, _STEP):
            self.delete_finished(math.inf, 0, _STEP)
        self._rows("PRAGMA wal_checkpoint(TRUNCATE)")


def is_corrupt(error: sqlite3.Error) -> bool:
    """The file is no database, or a broken one."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT


def is_locked(error: sqlite3.Error) -> bool:
    """Another process uses the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _corrupt(fault: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(fault)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


@dataclass(frozen=True, slots=True)
class Opened:
    """An open file; `after_corrupt`: it is new, because the one before was broken."""

    database: Database
    last_seq: int
    after_corrupt: bool


def open_database(path: Path | None) -> Opened:
    """The tables in a file, which is created if there is none; `path` None: in memory.

    A broken file is set aside, for a person to look at.

    Raises:
        sqlite3.Error: it cannot be used, though it is not broken.
        OSError: it cannot be created, or a broken one cannot be renamed.
    """
    if path is not None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        database = Database(path)
    except sqlite3.Error as error:
        if path is None or not is_corrupt(error):
            raise
        return _replace(path, error)
    return Opened(database, database.last_seq, after_corrupt=False)


def _replace(path: Path, fault: sqlite3.Error) -> Opened:
    """Set a broken file and its WAL aside, with the time in their new names, and open a new one.

    `listener.files.set_aside` would log each failure, and this is tried again every second.
    """
    last_seq = _readable_seq(path)
    stamp = iso_utc(time.time()).replace("-", "").replace(":", "")
    aside = path.replace(path.with_name(f"{path.name}.corrupt-{stamp}"))
    wal = path.with_name(path.name + "-wal")
    if wal.exists():
        wal.replace(aside.with_name(aside.name + "-wal"))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    log.error("outbox: %s is broken and was set aside as %s: %s", path, aside.name, fault)
    return Opened(Database(path), seq_from_clock(last_seq), after_corrupt=True)


def seq_from_clock(at_least: int = 0) -> int:
    """A seq above all that may have been lost with a file: the milliseconds since 1970.

    No station sends a thousand messages a second for years, so that it never falls behind; `at_least`
    is for a clock that was set back.
    """
    return max(at_least, int(time.time() * 1000))


def _readable_seq(path: Path) -> int:
    """The highest seq in what can still be read, 0 for none."""
    # immutable: nothing is written, and the WAL is ignored
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return int(connection.execute(_LAST_SEQ).fetchone()[0])
    except sqlite3.Error:
        return 0
