"""Where the files of a clip are: `2026/11/21/<id>.flac`, by the UTC date in its id, never by label."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from listener.detection.clip import ClipError, is_clip_id
from listener.detection.clip_files import AUDIO_SUFFIX, SIDECAR_SUFFIX
from listener.files import PARTIAL_SUFFIX, sync_directory

INDEX_DIRECTORY, QUARANTINE_DIRECTORY = "index", "quarantine"
LOCK_FILE = ".lock"
LOCK_SECONDS = (
    5.0  # a writer needs a tenth of a second; opening a store that has to be indexed, longer
)
_LOCK_POLL_SECONDS = 0.02

_CROCKFORD_BASE32 = {digit: value for value, digit in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}
_TIME_DIGITS = 10  # of a ULID: milliseconds since 1970 (https://github.com/ulid/spec)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_GLOB = "[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]"


def audio_path(directory: Path, clip_id: str) -> Path:
    """The FLAC file of a clip.

    Raises:
        ClipError: not a clip's id.
    """
    if not is_clip_id(clip_id):  # it becomes a file name
        raise ClipError(f"expected a clip's id (a ULID), got {clip_id[:64]!r}")
    milliseconds = 0
    for digit in clip_id[:_TIME_DIGITS]:
        milliseconds = milliseconds << 5 | _CROCKFORD_BASE32[digit]
    try:
        day = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError as error:
        raise ClipError(f"clip {clip_id}: expected a time before the year 10000") from error
    return directory / f"{day:%Y}" / f"{day:%m}" / f"{day:%d}" / (clip_id + AUDIO_SUFFIX)


def make_private_directory(path: Path, within: Path) -> None:
    """Make `path` and its missing parents below `within`, with mode 0700, durably."""
    if path.is_dir():
        return
    if path != within:
        make_private_directory(path.parent, within)
    path.mkdir(mode=0o700, parents=path == within, exist_ok=True)
    sync_directory(path.parent)


def day_directories(directory: Path) -> list[Path]:
    """The folders that hold clips."""
    return sorted(path for path in directory.glob(_DAY_GLOB) if path.is_dir())


@dataclass(frozen=True, slots=True)
class Inventory:
    """When each sidecar was changed, ns, by the id in its name; and the files of unfinished clips."""

    changed_ns: dict[str, int]
    leftovers: list[Path]


def take_inventory(directory: Path) -> Inventory:
    """Look at every file once; files not named like a clip's are ignored."""
    inventory = Inventory({}, [])
    for day in day_directories(directory):
        with os.scandir(day) as scanned:
            entries = {entry.name: entry for entry in scanned}
        for name, entry in entries.items():
            clip_id, _, suffix = name.partition(".")
            if not is_clip_id(clip_id):
                continue
            if "." + suffix == SIDECAR_SUFFIX:
                inventory.changed_ns[clip_id] = entry.stat().st_mtime_ns
            elif name.endswith(PARTIAL_SUFFIX) or clip_id + SIDECAR_SUFFIX not in entries:
                inventory.leftovers.append(day / name)
    return inventory


class StoreBusyError(ClipError):
    """Another process or thread has held the store's lock for too long."""


@contextmanager
def only_writer(directory: Path, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the store's lock against other threads and processes (flock(2)).

    Raises:
        StoreBusyError: it was not free for so many seconds.
    """
    handle = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + seconds
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    reason = f"{directory}: another process holds the store's lock"
                    raise StoreBusyError(reason) from None
                time.sleep(_LOCK_POLL_SECONDS)  # flock(2) knows no time limit
        yield
    finally:
        os.close(handle)
