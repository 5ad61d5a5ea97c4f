"""Events as lines of JSON in a file that is begun anew each day, and when it is large."""

from __future__ import annotations

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
from listener.files import to_json
from listener.health import Health
from listener.sinks.event_document import EventDocuments
from listener.sinks.sink import BundleNotice, EventNotice, Notice

log = logging.getLogger(__name__)

_NAME = "event_file"


class EventFileSink:
    """Appends a line for each start and end; only the owner may read the file.

    Each line is handed to the operating system before the next: a crash of the station loses none, a
    power cut what the disk had not got within seconds. An older file is brought to the disk when it is
    put aside, named by the time. What cannot be written is lost, counted, and told once an episode.
    """

    takes = (BundleNotice, EventNotice)

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
        self._aside = re.compile(rf"{stem}-\d{{8}}T\d{{6}}\.\d{{6}}{suffix}")
        self._file: FileIO | None = None
        self._day: date | None = None
        self._failing = False
        health.sink_failures[_NAME] = 0

    def handle(self, notice: Notice) -> None:
        """Write one event."""
        if isinstance(notice, BundleNotice):
            self._documents.rename(notice)
        elif isinstance(notice, EventNotice):
            self._write_or_tell(to_json(self._documents.of(notice)).encode() + b"\n")

    def close(self) -> None:
        """Bring it to the disk."""
        try:
            self._let_go()
        except OSError as error:
            log.warning("%s: cannot be closed: %s", self._path, error.strerror)

    def _write_or_tell(self, line: bytes) -> None:
        try:
            self._write(line)
        except OSError as error:
            self._health.sink_failures[_NAME] += 1
            if not self._failing:
                log.warning("%s: events are not written: %s", self._path, error.strerror)
            self._failing = True
            self._drop()
        else:
            if self._failing:
                log.info("%s: events are written again", self._path)
            self._failing = False

    def _drop(self) -> None:
        """Let go of a file that fails; opening it anew ends a line that was torn."""
        if self._file is not None:
            file, self._file = self._file, None
            with suppress(OSError):
                file.close()

    def _write(self, line: bytes) -> None:
        if self._file is None:
            self._file, self._day = _open_to_append(self._path)
        today, full = self._now().date(), self._settings.max_megabytes * 1e6
        if self._file.tell() and (today != self._day or self._file.tell() + len(line) > full):
            self._put_aside()
            self._file, _ = _open_to_append(self._path)
        self._day = today
        if self._file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _put_aside(self) -> None:
        self._let_go()
        stamp = f"{self._now():%Y%m%dT%H%M%S.%f}"
        self._path.rename(self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}"))
        aside = sorted(
            path for path in self._path.parent.iterdir() if self._aside.fullmatch(path.name)
        )
        for path in aside[: max(0, len(aside) - self._settings.keep_files)]:
            path.unlink()

    def _let_go(self) -> None:
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
