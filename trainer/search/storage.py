"""Where a study is kept: a journal file, or a database."""

from __future__ import annotations

import fcntl
import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
)

from trainer.errors import SearchError, StorageError

log = logging.getLogger(__name__)

BEAT = "beat"  # the attribute of a running trial that grows while its process lives
_BEATS_IN_A_GRACE = 6
_EXPECTED = "expected a path, journal:///PATH, sqlite:///PATH or postgresql://USER@HOST/DATABASE"
_JOURNAL = "journal://"
_OPENINGS = 5  # of a database whose tables others make at the same time
_SQLITE_WAIT_SECONDS = 60
ABOUT = "about"  # the study's attribute that says what it is a study of


# Signs of life of a running trial, for whoever shares the study.


@contextmanager
def beating(trial: optuna.Trial, grace_seconds: float) -> Iterator[None]:
    """The trial shows signs of life, several in each grace, while the block runs."""
    over = Event()
    every = grace_seconds / _BEATS_IN_A_GRACE
    thread = Thread(target=_beat, args=(trial, every, over), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _beat(trial: optuna.Trial, every_seconds: float, over: Event) -> None:
    for count in itertools.count(1):
        try:
            trial.set_user_attr(BEAT, count)
        except UpdateFinishedTrialError:
            return  # somebody took us for dead; the trial's next report finds it out
        except StorageInternalError as error:
            log.warning("trial %d: no sign of life could be left: %s", trial.number, error)
        if over.wait(every_seconds):
            return


@dataclass(frozen=True, slots=True)
class _Seen:
    """A beat, and when it was first seen, s."""

    beat: int | None
    since: float


class Watch:
    """Tells which running trials have shown no sign of life for longer than the grace.

    Time is that of the one who looks: machines that share a study need not agree on it.
    """

    def __init__(self, grace_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._grace, self._clock = grace_seconds, clock
        self._seen: dict[int, _Seen] = {}

    def silent(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Look at all trials of the study; those whose process is taken for dead."""
        now = self._clock()
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        self._seen = {trial.number: self._look(trial, now) for trial in running}
        return [t for t in running if now - self._seen[t.number].since > self._grace]

    def _look(self, trial: FrozenTrial, now: float) -> _Seen:
        beat = trial.user_attrs.get(BEAT)
        seen = self._seen.get(trial.number)
        return seen if seen is not None and seen.beat == beat else _Seen(beat, now)


# The lock of a journal file, which the kernel releases when its holder is killed.


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


_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+pg8000"}


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


# A study: made or found, and only ever of one thing.


# A fold is a few dozen clips: what the first one alone says is mostly chance.
_PRUNER = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1)


def open_study(storage: BaseStorage, name: str, about: Mapping[str, str]) -> optuna.Study:
    """The study of this name, made if it is not there; more is better, and the worse half is pruned.

    `about` tells apart what must not be mixed in one study: data, folds, space.

    Raises:
        SearchError: the study is about something else.
    """
    study = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", pruner=_PRUNER, load_if_exists=True
    )
    if ABOUT not in study.user_attrs:
        study.set_user_attr(ABOUT, dict(about))
    check_about(study, about)
    return study


def check_about(study: optuna.Study, about: Mapping[str, str]) -> None:
    """Refuse to add trials of one thing to a study of another.

    Raises:
        SearchError: it names what differs.
    """
    there = study.user_attrs[ABOUT]
    other = sorted(key for key in there.keys() | about if there.get(key) != about.get(key))
    if other:
        raise SearchError(
            f"study {study.study_name}: expected the same {', '.join(other)} as in its other trials: "
            "choose another name with --study"
        )
