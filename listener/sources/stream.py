"""A network stream, or a file in any codec, as a source."""

from __future__ import annotations

import threading

from listener.config.sources import StreamSettings
from listener.detection.audio import AudioChunk
from listener.sources.clock import HoleFinder
from listener.sources.decoder import Decoder
from listener.sources.intake import Intake
from listener.sources.live import LiveBuffer
from listener.sources.source import SourceError

# Segments of a playlist come seconds late by nature; only what is far beyond that is lost.
HOLE_SECONDS = 10.0
HOLE_WINDOW_SECONDS = 20.0


class StreamSource:
    """Anything that FFmpeg opens: http, https, rtsp, a path; mono at the rate of the stream.

    It is open once its first audio is decoded. Samples are stamped with their arrival; a recording
    is let through at the speed of time after a lead of some seconds.

    A read may block for `read_timeout_seconds`, and FFmpeg cannot be interrupted: `close` from
    another thread only sets a flag, which the reading thread then follows.

    Raises:
        SourceError: PyAV is missing, no answer in time, refused, or no audio that can be decoded.
            No password and no value of a query is in the line.
    """

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._reader = threading.get_ident()
        self._decoder = Decoder(settings)
        rate = self._decoder.sample_rate_hz
        holes = HoleFinder(HOLE_SECONDS, HOLE_WINDOW_SECONDS)
        self._intake = Intake(LiveBuffer(settings.name, rate, holes))

    def read(self, seconds: float) -> AudioChunk | None:
        """The next `seconds` of audio; None after `close`, or at the end with at_end "stop".

        Raises:
            SourceError: nothing came in time, the connection was lost, or the stream ended and
                at_end is "restart".
        """
        chunk = self._intake.read(seconds, self._receive)
        if chunk is None:
            self._decoder.close()
            return None
        if len(chunk.samples) or not self._decoder.at_end:
            return chunk
        if self._settings.at_end == "restart":
            raise SourceError(f"{self._decoder.address}: the stream ended")
        return None

    def close(self) -> None:
        """Disconnect; from another thread: once its read has returned."""
        self._intake.close()
        if threading.get_ident() == self._reader:
            self._decoder.close()

    def _receive(self, deadline: float) -> bool:  # noqa: ARG002 - the read timeout rules here
        for samples in self._decoder.receive():
            self._intake.push(samples, self._decoder.sample_rate_hz)
        return not self._decoder.at_end
