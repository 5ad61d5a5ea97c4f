"""Where a study is kept: a journal file, or a database."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
)

from trainer.errors import SearchError, StorageError
from trainer.search.journal_lock import JournalLock

log = logging.getLogger(__name__)

_EXPECTED = "expected a path, journal:///PATH, sqlite:///PATH or postgresql://USER@HOST/DATABASE"
_JOURNAL = "journal://"
_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+pg8000"}
_OPENINGS = 5  # of a database whose tables others make at the same time
_SQLITE_WAIT_SECONDS = 60


@contextmanager
def open_storage(address: str) -> Iterator[BaseStorage]:
    """The storage at a path or URL, which is made if it is not there; closed after the block.

    Raises:
        SearchError: an address of no known form.
        StorageError: it cannot be opened.
    """
    if address.startswith(_JOURNAL) or "://" not in address:
        yield _open_journal(Path(address.removeprefix(_JOURNAL)))
        return
    database = _open_database(_parse(address))
    try:
        yield database
    finally:
        database.remove_session()
        database.engine.dispose()


def _parse(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise SearchError(f"storage: {_EXPECTED}, got {address}") from error
    if url.drivername not in _DRIVERS:
        raise SearchError(f"storage: {_EXPECTED}, got {url.drivername}://")
    return url


def _open_journal(path: Path) -> BaseStorage:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = JournalLock(path.with_name(f"{path.name}.lock"))
        return JournalStorage(JournalFileBackend(str(path), lock))
    except OSError as error:
        raise StorageError(f"storage {path}: cannot be opened: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:  # what a line of another form can give
        raise StorageError(f"storage {path}: expected a journal of Optuna's") from error


def _open_database(url: URL) -> RDBStorage:
    try:
        return _despite_others(lambda: _connect(url))
    except DBAPIError as error:
        raise StorageError(f"storage {url!r}: cannot be opened: {error.orig}") from error


def _despite_others(connect: Callable[[], RDBStorage]) -> RDBStorage:
    """Of processes that find an empty database at once, one makes a table and the others fail."""
    for _ in range(_OPENINGS - 1):
        try:
            return connect()
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            log.debug("opened again: %s", error.orig)
    return connect()


def _connect(url: URL) -> RDBStorage:
    driven = url.set(drivername=_DRIVERS[url.drivername])
    options = {"timeout": _SQLITE_WAIT_SECONDS} if url.drivername == "sqlite" else {}
    # a connection may be cut between two trials: it is tried before it is used
    settings = {"pool_pre_ping": True, "connect_args": options}
    return RDBStorage(driven.render_as_string(hide_password=False), engine_kwargs=settings)
