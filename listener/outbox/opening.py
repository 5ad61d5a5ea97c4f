"""Opening the outbox's file: one that is broken is put aside, for a person to look at."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from listener.documents import iso_utc
from listener.outbox.database import LAST_SEQ, Database, is_corrupt

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """An open file; `after_corrupt`: the one before was broken, and this one is new."""

    database: Database
    last_seq: int
    after_corrupt: bool


def open_database(path: Path | None) -> Opened:
    """The tables in a file, which is made if there is none; `path` None: in memory.

    Raises:
        sqlite3.Error: it cannot be used, though it is not broken.
        OSError: it cannot be made, or a broken one cannot be renamed.
    """
    if path is not None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return _open(path)
    except sqlite3.Error as error:
        if path is None or not is_corrupt(error):
            raise
        return _replace(path, error)


def _open(path: Path | None) -> Opened:
    with ExitStack() as on_error:
        database = on_error.enter_context(closing(Database(path)))
        opened = Opened(database, database.last_seq, after_corrupt=False)
        on_error.pop_all()
    return opened


def _replace(path: Path, fault: sqlite3.Error) -> Opened:
    last_seq = _readable_seq(path)
    aside = put_aside(path)
    log.error("outbox: %s is broken and was put aside as %s: %s", path, aside.name, fault)
    return Opened(Database(path), seq_from_clock(last_seq), after_corrupt=True)


def seq_from_clock(at_least: int = 0) -> int:
    """A seq above all that may be gone with a file: the milliseconds since 1970.

    Nobody makes a thousand messages a second for years, so it never falls behind; `at_least` is for a
    clock that was set back.
    """
    return max(at_least, int(time.time() * 1000))


def put_aside(path: Path) -> Path:
    """The file's new name, with the time in it; its WAL goes with it."""
    stamp = iso_utc(time.time()).replace("-", "").replace(":", "")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    path.replace(aside)
    wal = path.with_name(path.name + "-wal")
    if wal.exists():
        wal.replace(aside.with_name(aside.name + "-wal"))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    return aside


def _readable_seq(path: Path) -> int:
    """The highest seq in what can still be read, 0 for none."""
    # immutable: nothing is written, and the WAL is not looked at
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return int(connection.execute(LAST_SEQ).fetchone()[0])
    except sqlite3.Error:
        return 0
