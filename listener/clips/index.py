"""The index of a store in SQLite: what its sidecars say, for fast queries. It can be rebuilt from them."""

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, Literal

from listener.detection.clip import ClipError, ClipRecord, Reason
from listener.detection.clip_files import record_bytes

_FAR_FROM_THRESHOLD = 0.5  # at this distance the station is sure
_MISSED_URGENCY = 2.0  # a person asked for this clip
_NEWNESS_SECONDS = 7 * 86_400.0  # a week of age outweighs the closest score
VERSION = 1
_BUSY_SECONDS = 10.0  # another process writes
_COLUMNS = 11
_WAL_PAGES = 100  # then the log is written back: 400 kB, and not SQLite's 4 MB


VerdictState = Literal["right", "wrong", "labels", "any", "none"]


@dataclass(frozen=True, slots=True)
class ClipFilter:
    """A query; None matches every clip.

    `label` is `ClipRecord.label`. `verdict` is the latest one; "any" and "none" ask whether there is one.
    `since` and `until` bound `captured_at`, Unix seconds.
    """

    source: str | None = None
    label: str | None = None
    reason: Reason | None = None
    verdict: VerdictState | None = None
    since: float | None = None
    until: float | None = None

    def conditions(self) -> dict[str, float | str]:
        """SQL conditions on the columns of the index, with their values."""
        asked = {
            "source = ?": self.source,
            "label = ?": self.label,
            "reason = ?": self.reason,
            "captured_at >= ?": self.since,
            "captured_at < ?": self.until,
        }
        if self.verdict == "any":
            asked["verdict > ?"] = ""
        elif self.verdict == "none":
            asked["coalesce(verdict, '') = ?"] = ""
        else:
            asked["verdict = ?"] = self.verdict
        return {condition: value for condition, value in asked.items() if value is not None}


@dataclass(frozen=True, slots=True)
class SimilarClip:
    """A clip and the cosine similarity of its mean embedding, [-1, 1]."""

    record: ClipRecord
    similarity: float


@dataclass(frozen=True, slots=True)
class Totals:
    """Clips, clips with a verdict, and bytes of a store."""

    clips: int = 0
    judged: int = 0
    bytes: int = 0


def urgency(record: ClipRecord) -> float:
    """How much a verdict on a clip would teach; the review queue shows the highest first.

    Scores close to the threshold, a strong second label, missed sounds and new clips count. It does not
    depend on the time of the question, so the order of clips stays.
    """
    missed = _MISSED_URGENCY if record.reason == "missed" else 0.0
    newness = record.captured_at / _NEWNESS_SECONDS
    second = record.top[1].score if len(record.top) > 1 else 0.0
    if record.score is None or record.on_threshold is None:
        closeness = 0.0
    else:
        distance = abs(record.score - record.on_threshold)
        closeness = 1.0 - min(1.0, distance / _FAR_FROM_THRESHOLD)
    return closeness + second + missed + newness


_SCHEMA = f"""
CREATE TABLE clips (
  id TEXT PRIMARY KEY, source TEXT NOT NULL, label TEXT, reason TEXT NOT NULL, verdict TEXT,
  captured_at REAL NOT NULL, urgency REAL NOT NULL, bytes INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
  width INTEGER, row INTEGER
) WITHOUT ROWID;
CREATE TABLE records (id TEXT PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE free_rows (width INTEGER NOT NULL, row INTEGER NOT NULL);
CREATE INDEX by_label ON clips (label, id);
CREATE INDEX by_source ON clips (source, id);
CREATE INDEX by_reason ON clips (reason, id);
CREATE INDEX by_verdict ON clips (verdict, id, changed_ns, bytes);
CREATE INDEX by_urgency ON clips (urgency) WHERE verdict IS NULL;
CREATE UNIQUE INDEX by_row ON clips (width, row);
PRAGMA user_version = {VERSION};
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the index: `changed_ns` of its sidecar, `bytes` of all its files.

    `width` and `row` are the place of its mean embedding; None if it has none.
    """

    record: ClipRecord
    bytes: int
    changed_ns: int
    width: int | None = None
    row: int | None = None


class Index:
    """The tables; any thread may call it, one at a time.

    Raises:
        ClipError: from every method, when SQLite cannot read or write.
        OSError: from every method that writes, when the disk is full.
        sqlite3.DatabaseError: on opening a file that is no index of this version; it must be rebuilt.
    """

    def __init__(self, path: Path) -> None:
        self._lock = RLock()
        path.touch(0o600)  # SQLite gives its WAL the same mode
        self._connection = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare()
        except sqlite3.DatabaseError:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        # a power cut may lose commits; opening finds them in the files
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._connection.executescript(_SCHEMA)
        elif version != VERSION:
            raise sqlite3.DatabaseError(f"expected version {VERSION}, got {version}")
        fault = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if fault != "ok":
            raise sqlite3.DatabaseError(fault)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def changes(self) -> Iterator[None]:
        """A transaction around all changes inside."""
        with self._lock, _one_line_errors(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock, _one_line_errors():
            return self._connection.execute(query, values).fetchall()

    def put(self, entry: Entry) -> None:
        """Add or update a clip."""
        record, verdict = entry.record, entry.record.verdict
        values = (
            record.id, record.source, record.label, record.reason, verdict and verdict.value,
            record.captured_at, urgency(record), entry.bytes, entry.changed_ns, entry.width, entry.row,
        )  # fmt: skip
        marks = ", ".join("?" * _COLUMNS)
        self._rows(f"INSERT OR REPLACE INTO clips VALUES ({marks})", *values)  # noqa: S608 - marks
        self._rows("INSERT OR REPLACE INTO records VALUES (?, ?)", record.id, record_bytes(record))

    def remove(self, clip_id: str) -> None:
        """Remove a clip and free its row of the matrix."""
        self._rows(
            "INSERT INTO free_rows SELECT width, row FROM clips WHERE id = ? AND row NOT NULL",
            clip_id,
        )
        self._rows("DELETE FROM clips WHERE id = ?", clip_id)
        self._rows("DELETE FROM records WHERE id = ?", clip_id)

    def reserve_row(self, width: int) -> int:
        """A free row of the matrix of that width."""
        free = self._rows("SELECT max(row) FROM free_rows WHERE width = ?", width)[0][0]
        if free is None:
            return self.row_count(width)
        self._rows("DELETE FROM free_rows WHERE width = ? AND row = ?", width, free)
        return int(free)

    def row_count(self, width: int) -> int:
        """The rows that are or were in use."""
        used = self._rows("SELECT max(row) FROM clips WHERE width = ?", width)[0][0]
        free = self._rows("SELECT max(row) FROM free_rows WHERE width = ?", width)[0][0]
        return 1 + max(-1 if used is None else used, -1 if free is None else free)

    def widths(self) -> list[int]:
        """The lengths of embeddings that there are."""
        return [row[0] for row in self._rows("SELECT DISTINCT width FROM clips WHERE width > 0")]

    def row_of(self, clip_id: str) -> tuple[int, int] | None:
        """Width and row of a clip's embedding, if it has one."""
        found = self._rows("SELECT width, row FROM clips WHERE id = ? AND row NOT NULL", clip_id)
        return (found[0][0], found[0][1]) if found else None

    def ids_of(self, width: int, rows: Sequence[int]) -> dict[int, str]:
        """The clips whose embeddings lie in these rows."""
        marks = ", ".join("?" * len(rows))
        query = f"SELECT row, id FROM clips WHERE width = ? AND row IN ({marks})"  # noqa: S608 - marks
        return dict(self._rows(query, width, *rows))

    def changes_ns(self) -> dict[str, int]:
        """Every clip and when its sidecar was changed."""
        return dict(self._rows("SELECT id, changed_ns FROM clips"))

    def record(self, clip_id: str) -> tuple[str, bytes] | None:
        """The clip's id and its sidecar's content, if it is known."""
        found = self._rows("SELECT id, content FROM records WHERE id = ?", clip_id)
        return (found[0][0], found[0][1]) if found else None

    def find(self, wanted: ClipFilter, limit: int, after: str | None) -> list[tuple[str, bytes]]:
        """Ids and sidecars' contents, newest first, from the one after `after` on."""
        conditions = wanted.conditions() | ({} if after is None else {"clips.id < ?": after})
        where = " AND ".join(conditions) or "1"
        query = (
            "SELECT clips.id, content FROM clips JOIN records USING (id) "  # noqa: S608 - our own words
            f"WHERE {where} ORDER BY clips.id DESC LIMIT ?"
        )
        return self._rows(query, *conditions.values(), limit)

    def urgent(self, limit: int) -> list[tuple[str, bytes]]:
        """Ids and sidecars' contents of clips without a verdict, what teaches most first."""
        return self._rows(
            "SELECT clips.id, content FROM clips INDEXED BY by_urgency JOIN records USING (id) "
            "WHERE verdict IS NULL ORDER BY urgency DESC LIMIT ?",
            limit,
        )

    def oldest(self, *, judged: bool, limit: int, before_ns: int | None = None) -> list[str]:
        """The oldest clips with a verdict or without one; only those stored before `before_ns`."""
        has = "NOT NULL" if judged else "IS NULL"
        query = f"SELECT id FROM clips WHERE verdict {has} AND changed_ns < ? ORDER BY id LIMIT ?"  # noqa: S608
        return [row[0] for row in self._rows(query, before_ns or 2**63 - 1, limit)]

    def totals(self) -> Totals:
        """How much there is."""
        row = self._rows("SELECT count(*), count(verdict), coalesce(sum(bytes), 0) FROM clips")[0]
        return Totals(*row)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        # not every error of the module has a code
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise ClipError(f"clip index: {error}") from error
