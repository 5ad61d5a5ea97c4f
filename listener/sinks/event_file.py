"""Writes events as lines of JSON into a file, which is rotated each day and when it is large."""

import errno
import logging
import os
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from io import FileIO
from pathlib import Path

from listener.config.outputs import EventFileSettings
from listener.health import Health
from listener.sinks.event_document import EventDocuments
from listener.sinks.sink import BundleNotice, EventNotice, Notice

log = logging.getLogger(__name__)

_NAME = "event_file"


class EventFileSink:
    """Appends a line for each start and end; only the owner may read the file.

    Each line is handed to the operating system before the next: a crash of the station loses none, a
    power cut those of the last seconds. A file is synced to the disk when it is rotated; its name then
    has the time in it. A line that cannot be written is lost, counted, and logged once an episode.
    """

    accepts = (BundleNotice, EventNotice)

    def __init__(
        self,
        settings: EventFileSettings,
        documents: EventDocuments,
        health: Health,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        self._path, self._settings = settings.path, settings
        self._documents, self._health, self._now = documents, health, now
        stem, suffix = re.escape(settings.path.stem), re.escape(settings.path.suffix)
        self._rotated_name = re.compile(rf"{stem}-\d{{8}}T\d{{6}}\.\d{{6}}{suffix}")
        self._file: FileIO | None = None
        self._day: date | None = None
        self._failing = False
        health.sink_failures[_NAME] = 0

    def handle(self, notice: Notice) -> None:
        """Write one event."""
        if isinstance(notice, BundleNotice):
            self._documents.set_bundle(notice)
        elif isinstance(notice, EventNotice):
            try:
                self._write(self._documents.line(notice))
            except OSError as error:
                self._health.sink_failures[_NAME] += 1
                if not self._failing:
                    log.warning("%s: events are not written: %s", self._path, error.strerror)
                self._failing = True
                if self._file is not None:
                    file, self._file = self._file, None  # opening it again ends a torn line
                    with suppress(OSError):
                        file.close()
            else:
                if self._failing:
                    log.info("%s: events are written again", self._path)
                self._failing = False

    def close(self) -> None:
        """Sync the file to the disk."""
        try:
            self._close_file()
        except OSError as error:
            log.warning("%s: cannot be closed: %s", self._path, error.strerror)

    def _write(self, line: bytes) -> None:
        if self._file is None:
            self._file, self._day = _open_to_append(self._path)
        today, full = self._now().date(), self._settings.max_megabytes * 1e6
        if self._file.tell() and (today != self._day or self._file.tell() + len(line) > full):
            self._rotate()
            self._file, _ = _open_to_append(self._path)
        self._day = today
        if self._file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _rotate(self) -> None:
        self._close_file()
        stamp = f"{self._now():%Y%m%dT%H%M%S.%f}"
        self._path.rename(self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}"))
        siblings = self._path.parent.iterdir()
        rotated = sorted(path for path in siblings if self._rotated_name.fullmatch(path.name))
        for path in rotated[: max(0, len(rotated) - self._settings.keep_files)]:
            path.unlink()

    def _close_file(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            with file:
                os.fsync(file.fileno())


def _open_to_append(path: Path) -> tuple[FileIO, date | None]:
    """The file, at its end, and the day on which it was last written; a torn last line is ended."""
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    file = FileIO(handle, "r+")
    size = file.seek(0, os.SEEK_END)
    if not size:
        return file, None
    file.seek(-1, os.SEEK_END)
    if file.read(1) != b"\n":
        file.write(b"\n")
    return file, datetime.fromtimestamp(os.fstat(handle).st_mtime).astimezone().date()
