"""Where a study is kept, a journal file or a database, and the heartbeats of its running trials."""

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
from sqlalchemy import exc
from sqlalchemy.engine import make_url

from trainer.errors import SearchError, StorageError
from trainer.search.trials import HEARTBEAT

log = logging.getLogger(__name__)

_EXPECTED = "expected a path, journal:///PATH, sqlite:///PATH or postgresql://USER@HOST/DATABASE"
_JOURNAL = "journal://"
_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+pg8000"}
_SQLITE_WAIT_SECONDS = 60
_ATTEMPTS = 5  # to open a database whose tables other processes create at the same time
_RACES = (exc.IntegrityError, exc.OperationalError, exc.ProgrammingError)
_ABOUT = "about"  # the study's attribute with what its trials have in common
_HEARTBEATS_PER_GRACE = 6
# A fold is a few dozen clips: the first one alone is mostly chance.
_PRUNER = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1)


@contextmanager
def open_storage(address: str) -> Iterator[BaseStorage]:
    """The storage at a path or URL, created if it does not exist; closed after the block.

    Raises:
        SearchError: an address of an unknown form.
        StorageError: it cannot be opened.
    """
    if address.startswith(_JOURNAL) or "://" not in address:
        yield _open_journal(Path(address.removeprefix(_JOURNAL)))
        return
    database = _open_database(address)
    try:
        yield database
    finally:
        database.remove_session()
        database.engine.dispose()


def _open_journal(path: Path) -> BaseStorage:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = JournalLock(path.with_name(f"{path.name}.lock"))
        return JournalStorage(JournalFileBackend(str(path), lock))
    except OSError as error:
        raise StorageError(f"storage {path}: cannot be opened: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:  # what a line of another form can raise
        raise StorageError(f"storage {path}: expected a journal of Optuna's") from error


class JournalLock(JournalFileOpenLock):
    """A lock on the file `path`, which stays; the kernel releases it when its holder is killed.

    Optuna's own locks are files that a killed process leaves behind; all others then wait for 30 s.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Wait until no other process holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let another process acquire it.

        Raises:
            RuntimeError: it is not held.
        """
        if self._descriptor is None:
            raise RuntimeError(f"{self._path}: expected a lock that is held")
        descriptor, self._descriptor = self._descriptor, None
        os.close(descriptor)


def _open_database(address: str) -> RDBStorage:
    try:
        url = make_url(address)
    except exc.ArgumentError as error:
        raise SearchError(f"storage: {_EXPECTED}, got {address}") from error
    if url.drivername not in _DRIVERS:
        raise SearchError(f"storage: {_EXPECTED}, got {url.drivername}://")
    driver_url = url.set(drivername=_DRIVERS[url.drivername])
    options = {"timeout": _SQLITE_WAIT_SECONDS} if url.drivername == "sqlite" else {}
    # a connection may be cut between two trials: it is tested before it is used
    settings = {"pool_pre_ping": True, "connect_args": options}
    attempts = 0
    while True:
        attempts += 1
        try:
            return RDBStorage(driver_url.render_as_string(hide_password=False), settings)
        except exc.DBAPIError as error:
            # of processes that open an empty database at once, one creates a table and the others fail
            if attempts == _ATTEMPTS or not isinstance(error, _RACES):
                raise StorageError(f"storage {url!r}: cannot be opened: {error.orig}") from error
            log.debug("opened again: %s", error.orig)


def open_study(storage: BaseStorage, name: str, about: Mapping[str, str]) -> optuna.Study:
    """The study of this name, created if it does not exist; more is better, the worse half is pruned.

    `about` is what all trials of a study must have in common: data, folds, space.

    Raises:
        SearchError: the other trials differ in that; the message says in what.
    """
    study = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", pruner=_PRUNER, load_if_exists=True
    )
    if _ABOUT not in study.user_attrs:
        study.set_user_attr(_ABOUT, dict(about))
    found = study.user_attrs[_ABOUT]
    differing = sorted(key for key in found.keys() | about if found.get(key) != about.get(key))
    if differing:
        raise SearchError(
            f"study {name}: expected the same {', '.join(differing)} as in its other trials: "
            "choose another name with --study"
        )
    return study


@contextmanager
def heartbeats(trial: optuna.Trial, grace_seconds: float) -> Iterator[None]:
    """The trial sends heartbeats, several in each grace, while the block runs."""
    stop = Event()
    every_seconds = grace_seconds / _HEARTBEATS_PER_GRACE
    thread = Thread(target=_beat, args=(trial, every_seconds, stop), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beat(trial: optuna.Trial, every_seconds: float, stop: Event) -> None:
    for count in itertools.count(1):
        try:
            trial.set_user_attr(HEARTBEAT, count)
        except UpdateFinishedTrialError:
            return  # another worker gave this process up; the trial's next report finds out
        except StorageInternalError as error:
            log.warning("trial %d: the heartbeat could not be stored: %s", trial.number, error)
        if stop.wait(every_seconds):
            return


@dataclass(frozen=True, slots=True)
class _Heartbeat:
    """The last heartbeat of a trial, and when it was first seen, s."""

    number: int | None
    seen_at: float


class HeartbeatMonitor:
    """Finds running trials without a new heartbeat for longer than the grace.

    Only the observer's clock counts: the clocks of machines that share a study may differ.
    """

    def __init__(self, grace_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._grace_seconds, self._clock = grace_seconds, clock
        self._last: dict[int, _Heartbeat] = {}  # by the trial's number

    def silent(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Of all trials of the study, those whose process is presumed dead."""
        now = self._clock()
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        last: dict[int, _Heartbeat] = {}
        for trial in running:
            number = trial.user_attrs.get(HEARTBEAT)
            seen = self._last.get(trial.number)
            if seen is None or seen.number != number:
                seen = _Heartbeat(number, now)
            last[trial.number] = seen
        self._last = last
        return [t for t in running if now - last[t.number].seen_at > self._grace_seconds]
