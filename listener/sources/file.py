"""An audio file as a source: in real time, or as fast as it is read."""

import logging
import stat
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.config.sources import FileSettings
from listener.detection.audio import AudioChunk, Samples, mix_to_mono
from listener.sources.recording import Recording
from listener.sources.source import IDLE_SECONDS, SourceError, format_fault, unix_minus_monotonic

log = logging.getLogger(__name__)

_BLOCK_FRAMES = 32_768  # decoded at once: every call of libsndfile releases the interpreter's lock


class FileSource:
    """What libsndfile reads: WAV, FLAC, OGG, MP3 and more; other codecs need a stream source.

    What is there is read, whatever the header says of its length.

    With pace "realtime" a chunk is returned when its last sample is due, and `captured_at` is unix time,
    counted on the monotonic clock since the file was opened. With "fast" nothing waits, and it is
    seconds in the file. With at_end "restart" the file is a seamless loop, and `start` keeps counting.

    Raises:
        SourceError: missing, unreadable, empty, or not audio that libsndfile reads.
    """

    def __init__(self, settings: FileSettings) -> None:
        self._settings = settings
        self._file = _open(settings.path)
        self._block = np.empty((_BLOCK_FRAMES, self._file.channels), np.float32)
        self._decoded = self._block[:0]  # the part of the block that was not returned yet
        self._realtime = settings.pace == "realtime"
        self._opened_monotonic = time.monotonic()
        self._start = 0
        self._decoding = threading.Lock()  # held so that the file is not closed during a read
        self._closed = threading.Event()

    def read(self, seconds: float) -> AudioChunk | None:
        """The next `seconds` of the file; None at its end and after `close`.

        Raises:
            SourceError: the rest of the file cannot be decoded.
        """
        rate = self._file.sample_rate_hz
        if self._realtime:
            seconds = min(seconds, IDLE_SECONDS)
        samples = self._read_mono(max(1, round(seconds * rate)))
        if not len(samples):
            return None
        origin = 0.0
        if self._realtime:
            due = self._opened_monotonic + (self._start + len(samples)) / rate
            if self._closed.wait(max(0.0, due - time.monotonic())):
                return None
            origin = self._opened_monotonic + unix_minus_monotonic()
        captured_at = origin + self._start / rate
        chunk = AudioChunk(self._settings.name, self._start, captured_at, rate, samples)
        self._start = chunk.end
        return chunk

    def close(self) -> None:
        """Close the file; a `read` that waits on another thread returns None."""
        self._closed.set()
        with self._decoding:
            self._file.close()

    def _read_mono(self, frames: int) -> Samples:
        """Fewer than `frames` only at the end."""
        parts = []
        while frames:
            if not len(self._decoded):
                with self._decoding:
                    self._decoded = self._decode_block()
            if not len(self._decoded):
                break
            part, self._decoded = self._decoded[:frames], self._decoded[frames:]
            parts.append(mix_to_mono(part).copy())  # the next block reuses the memory
            frames -= len(part)
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.float32), *parts])

    def _decode_block(self) -> NDArray[np.float32]:
        """The next block, float32 (n, channels); empty at the end and after `close`."""
        try:
            while not self._closed.is_set():
                count = self._file.read(self._block)
                # a loop ends, too, if the file gives no sample at all
                if count or self._settings.at_end == "stop" or self._file.position == 0:
                    return self._block[:count]
                self._file.rewind()
        except SourceError as error:
            what = f"cannot be read further: {error}"
            raise SourceError(f"{self._settings.path}: {what}") from error
        return self._block[:0]


def _open(path: Path) -> Recording:
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its writer
            path.open("rb").close()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a device or pipe"
        raise SourceError(f"{path}: expected a file, found {kind}")
    if status.st_size == 0:
        raise SourceError(f"{path}: the file is empty")
    try:
        file = Recording(path, log)
    except SourceError as error:
        raise SourceError(
            f"{path}: expected audio that libsndfile reads (WAV, FLAC, OGG, MP3): "
            f'{error} For other codecs use kind = "stream".'
        ) from error
    fault = format_fault(file.channels, file.sample_rate_hz)
    if file.empty:
        fault = "has no samples"
    if fault is not None:
        file.close()
        raise SourceError(f"{path}: {fault}")
    return file
