"""An audio file as a source: at the speed of time, or at once."""

from __future__ import annotations

import stat
import threading
import time
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from listener.config.sources import FileSettings
from listener.detection.audio import (
    HIGHEST_RATE_HZ,
    LOWEST_RATE_HZ,
    MAX_CHANNELS,
    AudioChunk,
    Samples,
    mix_to_mono,
)
from listener.service import unix_minus_monotonic
from listener.sources.source import IDLE_SECONDS, SourceError

_BLOCK_FRAMES = 32_768  # decoded at once: each call of libsndfile gives up the interpreter's lock
_CAREFUL_FRAMES = 1_024  # of a file that turns out to be broken


class FileSource:
    """What libsndfile reads: WAV, FLAC, OGG, MP3 and more; other codecs come in as a stream.

    With pace "realtime" a chunk is handed over when its last sample is due, and `captured_at` is unix
    time, counted from the opening on the monotonic clock. With "fast" nothing waits, and it is seconds
    in the file.
    With at_end "restart" the file is a seamless loop, and `start` goes on.

    Raises:
        SourceError: missing, unreadable, empty, or not audio that libsndfile reads.
    """

    def __init__(self, settings: FileSettings) -> None:
        self._settings = settings
        self._file = _open(settings.path)
        self._block = np.empty((_BLOCK_FRAMES, self._file.channels), np.float32)
        self._decoded = self._block[:0]  # what is still to be handed over
        self._realtime = settings.pace == "realtime"
        self._opened_monotonic = time.monotonic()
        self._start = 0
        self._decoding = threading.Lock()  # the file is not closed under a read
        self._closed = threading.Event()

    def read(self, seconds: float) -> AudioChunk | None:
        """The next `seconds` of the file; None at its end and after `close`.

        Raises:
            SourceError: the file cannot be decoded further.
        """
        rate: int = self._file.samplerate
        if self._realtime:
            seconds = min(seconds, IDLE_SECONDS)
        samples = self._take(max(1, round(seconds * rate)))
        if not len(samples) or not self._wait_until_due(self._start + len(samples)):
            return None
        chunk = AudioChunk(
            self._settings.name, self._start, self._origin() + self._start / rate, rate, samples
        )
        self._start = chunk.end
        return chunk

    def close(self) -> None:
        """Close the file; a `read` that waits on another thread returns None."""
        self._closed.set()
        with self._decoding:
            self._file.close()

    def _origin(self) -> float:
        return self._opened_monotonic + unix_minus_monotonic() if self._realtime else 0.0

    def _wait_until_due(self, end: int) -> bool:
        """False if the source was closed meanwhile."""
        if not self._realtime:
            return True
        due = self._opened_monotonic + end / self._file.samplerate
        return not self._closed.wait(max(0.0, due - time.monotonic()))

    def _take(self, frames: int) -> Samples:
        """Mono; fewer than `frames` only at the end."""
        parts = []
        while frames and self._has_more():
            part, self._decoded = self._decoded[:frames], self._decoded[frames:]
            parts.append(mix_to_mono(part).copy())  # the next block is decoded to the same place
            frames -= len(part)
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.float32), *parts])

    def _has_more(self) -> bool:
        if not len(self._decoded):
            with self._decoding:
                self._decoded = self._decode()
        return len(self._decoded) > 0

    def _decode(self) -> NDArray[np.float32]:
        """The next block, float32 (n, channels); empty at the end and after `close`."""
        while not self._closed.is_set():
            count = self._decode_into(self._block)
            if count or not self._rewound():
                return self._block[:count]
        return self._block[:0]

    def _decode_into(self, block: NDArray[np.float32]) -> int:
        at = self._file.tell()
        try:
            return len(self._file.read(out=block))
        except soundfile.LibsndfileError as error:
            if len(block) == _CAREFUL_FRAMES:
                raise self._broken(error) from error
        # what comes before the fault is heard
        self._block = block[:_CAREFUL_FRAMES]
        try:
            self._file.seek(at)
        except soundfile.LibsndfileError as error:
            raise self._broken(error) from error
        return self._decode_into(self._block)

    def _broken(self, error: soundfile.LibsndfileError) -> SourceError:
        return SourceError(f"{self._settings.path}: cannot be read further: {error.error_string}")

    def _rewound(self) -> bool:
        """Back at the beginning, if the file is a loop and gives samples at all."""
        if self._settings.at_end == "stop" or self._file.tell() == 0:
            return False
        self._file.seek(0)
        return True


def _open(path: Path) -> soundfile.SoundFile:
    _check_regular(path)
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        raise SourceError(
            f"{path}: expected audio that libsndfile reads (WAV, FLAC, OGG, MP3): "
            f'{error.error_string} For other codecs use kind = "stream".'
        ) from error
    fault = _fault_of(file)
    if fault is not None:
        file.close()
        raise SourceError(f"{path}: {fault}")
    return file


def _fault_of(file: soundfile.SoundFile) -> str | None:
    if file.frames == 0:
        return "holds no sample"
    if file.channels > MAX_CHANNELS or not LOWEST_RATE_HZ <= file.samplerate <= HIGHEST_RATE_HZ:
        # a second of it would be gigabytes, or not a sample
        return (
            f"expected up to {MAX_CHANNELS} channels of {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz, "
            f"got {file.channels} of {file.samplerate} Hz"
        )
    return None


def _check_regular(path: Path) -> None:
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its writer
            path.open("rb").close()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{path}: expected a file, found {_kind(status.st_mode)}")
    if status.st_size == 0:
        raise SourceError(f"{path}: the file is empty")


def _kind(mode: int) -> str:
    return "a directory" if stat.S_ISDIR(mode) else "a device or pipe"
