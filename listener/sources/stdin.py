"""Standard input as a source: raw PCM or WAV from a pipe."""

from __future__ import annotations

import logging
import os
import select
import sys
import time
from typing import BinaryIO

import numpy as np

from listener.config.sources import StdinSettings
from listener.detection.audio import AudioChunk
from listener.sources.live import HoleFinder, Intake, LiveBuffer
from listener.sources.source import IDLE_SECONDS, SourceError
from listener.sources.wav import Encoding, PcmFormat, WavError, WavHeader, parse_wav_header

log = logging.getLogger(__name__)

HOLE_SECONDS = 1.0  # less is how the program that feeds the pipe was scheduled
HOLE_WINDOW_SECONDS = 3.0
_READ_BYTES = 65_536  # what a Linux pipe holds


class StdinSource:
    """PCM on a file descriptor, stamped with the time of its arrival.

    A writer that pauses never keeps the caller longer than IDLE_SECONDS. A WAV's header is awaited
    in `read`; until it is whole, chunks are empty. A recording is let through at the speed of time
    after a lead of some seconds.

    Raises:
        SourceError: there is no standard input.
    """

    def __init__(self, settings: StdinSettings, stream: BinaryIO | None = None) -> None:
        self._settings = settings
        self._fd = _descriptor(stream)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self._bytes = bytearray()  # read, not yet decoded
        self._bytes_left: int | None = None  # of audio, where a WAV's header says
        self._at_end = False
        self._format = PcmFormat(Encoding.S16, settings.sample_rate_hz, settings.channels)
        self._header_awaited = settings.format == "wav"
        self._intake = self._new_intake()

    def read(self, seconds: float) -> AudioChunk | None:
        """The next `seconds` of audio; None at the end and after `close`.

        Raises:
            SourceError: not the WAV that was announced, or the descriptor cannot be read.
        """
        if self._header_awaited and not self._receive_header():
            return None if self._at_end else self._nothing_yet()
        chunk = self._intake.read(seconds, self._receive)
        if chunk is None or (self._at_end and not len(chunk.samples)):
            return None
        return chunk

    def close(self) -> None:
        """Stop reading; the descriptor stays open, for it is not ours."""
        self._intake.close()

    def _new_intake(self) -> Intake:
        holes = HoleFinder(HOLE_SECONDS, HOLE_WINDOW_SECONDS)
        return Intake(LiveBuffer(self._settings.name, self._format.sample_rate_hz, holes))

    def _nothing_yet(self) -> AudioChunk:
        silent = np.empty(0, np.float32)
        return AudioChunk(
            self._settings.name, 0, time.time(), self._settings.sample_rate_hz, silent
        )

    def _receive_header(self) -> bool:
        deadline = time.monotonic() + IDLE_SECONDS
        while self._header_awaited and self._receive_bytes(deadline):
            self._parse_header()
        if self._at_end and self._header_awaited:
            raise self._error(
                f"expected a WAV header, the stream ended after {len(self._bytes)} bytes"
            )
        return not self._header_awaited

    def _parse_header(self) -> None:
        try:
            header = parse_wav_header(bytes(self._bytes))
        except WavError as error:
            raise self._error(str(error)) from error
        if header is not None:
            self._begin(header)

    def _begin(self, header: WavHeader) -> None:
        self._header_awaited = False
        self._format, self._bytes_left = header.format, header.data_bytes
        del self._bytes[: header.header_bytes]
        self._intake = self._new_intake()
        self._decode()

    def _receive(self, deadline: float) -> bool:
        if not self._receive_bytes(deadline):
            return False
        self._decode()
        return True

    def _receive_bytes(self, deadline: float) -> bool:
        """Wait for bytes; False if none came before the deadline, or never will."""
        wait_ms = max(0.0, deadline - time.monotonic()) * 1000
        if self._at_end or not self._poll.poll(wait_ms):
            return False
        try:
            received = os.read(self._fd, _READ_BYTES)
        except OSError as error:
            raise self._error(f"cannot be read: {error.strerror}") from error
        self._bytes += received
        if not received:
            self._end()
        return bool(received)

    def _decode(self) -> None:
        """Push the whole frames that have come, up to the end that the header gave."""
        ready = len(self._bytes)
        if self._bytes_left is not None:
            ready = min(ready, self._bytes_left)
        ready -= ready % self._format.frame_bytes
        samples = self._format.decode(bytes(self._bytes[:ready]))
        del self._bytes[:ready]
        self._intake.push(samples, self._format.sample_rate_hz)
        if self._bytes_left is not None:
            self._bytes_left -= ready
            self._at_end = self._bytes_left < self._format.frame_bytes

    def _end(self) -> None:
        self._at_end = True
        if self._bytes and not self._header_awaited:
            log.warning(
                "source %s: the last %d bytes are not a whole sample and are dropped",
                self._settings.name,
                len(self._bytes),
            )

    def _error(self, what: str) -> SourceError:
        return SourceError(f"standard input: {what}")


def _descriptor(stream: BinaryIO | None) -> int:
    stream = stream if stream is not None else getattr(sys.stdin, "buffer", None)
    if stream is None or stream.closed:
        raise SourceError("standard input: expected an open stream, it is closed")
    return stream.fileno()
