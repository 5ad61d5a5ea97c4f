"""Standard input as a source: raw PCM or WAV from a pipe."""

import logging
import os
import select
import sys
import time
from typing import BinaryIO

import numpy as np

from listener.config.sources import StdinSettings
from listener.detection.audio import AudioChunk
from listener.sources.live import GapDetector, LiveBuffer, PacedReader
from listener.sources.source import IDLE_SECONDS, SAME_SECONDS, SourceError
from listener.sources.wav import Encoding, PcmFormat, WavError, looks_like_chunk, parse_wav_header

log = logging.getLogger(__name__)

GAP_SECONDS = 1.0  # shorter gaps come from how the writing program is scheduled
GAP_WINDOW_SECONDS = 3.0
_CHUNK_BYTES = 8  # name and size
_READ_BYTES = 65_536  # the capacity of a Linux pipe


class StdinSource:
    """PCM on a file descriptor, timed by its arrival.

    A writer that pauses never blocks the caller longer than IDLE_SECONDS. `read` waits for the header of
    a WAV; until it is complete, chunks are empty. A recording is read in real time after a lead of some
    seconds.

    Raises:
        SourceError: standard input is closed.
    """

    def __init__(self, settings: StdinSettings, stream: BinaryIO | None = None) -> None:
        stream = stream or getattr(sys.stdin, "buffer", None)
        if stream is None or stream.closed:
            raise self._error("expected an open stream, it is closed")
        self._settings = settings
        self._fd = stream.fileno()
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self._bytes = bytearray()  # read, not yet decoded
        self._bytes_left: int | None = None  # of audio, if a WAV header says
        self._stated_bytes: int | None = None  # the same at the beginning
        self._held_bytes = 0  # of audio
        self._at_end = False
        self._format = PcmFormat(Encoding.S16, settings.sample_rate_hz, settings.channels)
        self._header_awaited = settings.format == "wav"
        self._reader = self._new_reader()

    def read(self, seconds: float) -> AudioChunk | None:
        """The next `seconds` of audio; None at the end and after `close`.

        Raises:
            SourceError: not the WAV that was expected, or the descriptor cannot be read.
        """
        if self._header_awaited and not self._receive_header():
            nothing, rate = np.empty(0, np.float32), self._settings.sample_rate_hz
            return AudioChunk(self._settings.name, 0, time.time(), rate, nothing)
        chunk = self._reader.read(seconds, self._receive)
        if chunk is None or (self._at_end and not len(chunk.samples)):
            return None
        return chunk

    def close(self) -> None:
        """Stop reading; the descriptor stays open, its owner is the process."""
        self._reader.close()

    def _new_reader(self) -> PacedReader:
        gaps = GapDetector(GAP_SECONDS, GAP_WINDOW_SECONDS)
        return PacedReader(LiveBuffer(self._settings.name, self._format.sample_rate_hz, gaps))

    def _receive_header(self) -> bool:
        """Wait for the header; False if it is not complete after IDLE_SECONDS."""
        deadline = time.monotonic() + IDLE_SECONDS
        while self._receive(deadline):
            try:
                header = parse_wav_header(bytes(self._bytes))
            except WavError as error:
                raise self._error(str(error)) from error
            if header is not None:
                self._header_awaited = False
                self._format, self._stated_bytes = header.format, header.data_bytes
                self._bytes_left = header.data_bytes
                del self._bytes[: header.header_bytes]
                self._reader = self._new_reader()
                self._decode()
                return True
        if self._at_end:
            raise self._error(
                f"expected a WAV header, the stream ended after {len(self._bytes)} bytes"
            )
        return False

    def _receive(self, deadline: float) -> bool:
        """Wait for bytes; False if none came before the deadline, or the stream has ended."""
        wait_ms = max(0.0, deadline - time.monotonic()) * 1000
        if self._at_end or not self._poll.poll(wait_ms):
            return False
        try:
            received = os.read(self._fd, _READ_BYTES)
        except OSError as error:
            raise self._error(f"cannot be read: {error.strerror}") from error
        self._bytes += received
        self._at_end = not received
        if not self._header_awaited:
            self._decode()
        return bool(received)

    def _decode(self) -> None:
        """Push the whole frames that have come, up to the end of the audio."""
        frame_bytes = self._format.frame_bytes
        while True:
            left = self._bytes_left
            ready = len(self._bytes) if left is None else min(len(self._bytes), left)
            ready -= ready % frame_bytes
            samples = self._format.decode(bytes(self._bytes[:ready]))
            del self._bytes[:ready]
            self._reader.push(samples, self._format.sample_rate_hz)
            self._held_bytes += ready
            if left is None:
                break
            self._bytes_left = left - ready
            if self._bytes_left >= frame_bytes or not self._goes_on():
                break
            self._bytes_left = None
        if self._at_end:
            self._tell_end()

    def _goes_on(self) -> bool:
        """Whether audio follows where the header says that it ends: neither a chunk nor nothing."""
        skipped = (self._bytes_left or 0) + (
            self._stated_bytes or 0
        ) % 2  # chunks begin at even bytes
        follows = bytes(self._bytes[skipped : skipped + _CHUNK_BYTES])
        if len(follows) == _CHUNK_BYTES and not looks_like_chunk(follows[:4]):
            return True
        if len(follows) == _CHUNK_BYTES or self._at_end:
            self._at_end = True
            self._bytes.clear()
        return False

    def _tell_end(self) -> None:
        name, rate = self._settings.name, self._format.frame_bytes * self._format.sample_rate_hz
        stated, held = self._stated_bytes, self._held_bytes
        if stated is not None and abs(stated - held) >= SAME_SECONDS * rate:
            log.warning(
                "source %s: its header says %.1f s, it holds %.1f s",
                name,
                stated / rate,
                held / rate,
            )
        if self._bytes:
            log.warning(
                "source %s: the last %d bytes are not a whole sample and are dropped",
                name,
                len(self._bytes),
            )

    def _error(self, what: str) -> SourceError:
        return SourceError(f"standard input: {what}")
