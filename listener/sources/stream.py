"""A network stream, or a file in any codec, as a source."""

from __future__ import annotations

import errno
import importlib
import threading
import time
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray

from listener.config.sources import StreamSettings
from listener.detection.audio import AudioChunk, Samples, mix_to_mono
from listener.sources.live import HoleFinder, Intake, LiveBuffer
from listener.sources.source import SourceError

_MISSING = "a source of kind \"stream\" needs PyAV: pip install 'earshot[streams]'"
# Segments of a playlist come seconds late by nature; only what is far beyond that is lost.
HOLE_SECONDS = 10.0
HOLE_WINDOW_SECONDS = 20.0


# Addresses fit to be shown.


def redact(url: str) -> str:
    """The address without user, password, fragment and the values of its query."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # not a number: a password with a slash in it that was not quoted
    except ValueError:
        return f"{url.partition(':')[0]}:..."
    host = parts.netloc.rpartition("@")[2]
    query = "&".join(_redact_pair(pair) for pair in parts.query.split("&") if pair)
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def _redact_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}=..." if equals else "..."


# FFmpeg through PyAV: an address in, mono samples out.


class Decoder:
    """An open stream that has given its first audio, at `sample_rate_hz`; used by one thread.

    Raises:
        SourceError: what `StreamSource` tells of.
    """

    def __init__(self, settings: StreamSettings) -> None:
        self.address = redact(settings.url)
        self.at_end = False
        self.sample_rate_hz = 0  # the decoder's word counts: HE-AAC has twice what its header says
        self._settings = settings
        self._av = _load()
        self._container = self._open()
        self._packets = self._container.demux()
        self._last_samples_at = time.monotonic()
        try:
            self._first = self._receive_first()
        except SourceError:
            self.close()
            raise

    def receive(self) -> list[Samples]:
        """The samples of the next packet, mono float32 (n,) each; empty for packets without any.

        Raises:
            SourceError: no samples for `read_timeout_seconds`, or the connection is lost.
        """
        if self._first:
            first, self._first = self._first, []
            return first
        return self._receive()

    def close(self) -> None:
        """Disconnect; harmless when done twice."""
        self._container.close()

    def _receive_first(self) -> list[Samples]:
        if not self._container.streams.audio:
            raise self._error("expected audio, found no audio track")
        self._audio = self._container.streams.audio[0].index
        while not self.at_end:
            samples = self._receive()
            if samples:
                return samples
        raise self._error("ended before any audio came")

    def _receive(self) -> list[Samples]:
        packet = self._next_packet()
        samples = [self._samples(frame) for frame in self._decode(packet)]
        if samples:
            self._last_samples_at = time.monotonic()
        elif time.monotonic() - self._last_samples_at > self._settings.read_timeout_seconds:
            raise self._error(f"no audio for {self._settings.read_timeout_seconds:g} s")
        return samples

    def _open(self) -> Any:
        seconds = self._settings.open_timeout_seconds
        timeout = (seconds, self._settings.read_timeout_seconds)
        began = time.monotonic()
        try:
            return self._av.open(self._settings.url, timeout=timeout, options=self._options())
        except self._av.FFmpegError as error:
            # FFmpeg's error holds the whole address, so it goes no further
            late = time.monotonic() - began >= seconds  # in RTSP it looks like invalid data
            reason = _no_answer(seconds) if late else self._reason(error, seconds)
            raise self._error(f"cannot be opened: {reason}") from None

    def _options(self) -> dict[str, str]:
        if not self._settings.url.startswith(("rtsp:", "rtsps:")):
            return {}
        return {
            "rtsp_transport": self._settings.rtsp_transport,
            "allowed_media_types": "audio",  # a camera's picture is not even sent
        }

    def _next_packet(self) -> Any | None:
        # all tracks, for a track of pictures alone must not keep us from looking at the clock
        seconds = self._settings.read_timeout_seconds
        began = time.monotonic()
        try:
            packet = next(self._packets, None)
        except self._av.FFmpegError as error:
            raise self._error(f"lost: {self._reason(error, seconds)}") from None
        if time.monotonic() - began >= seconds:  # cut short: a piece of a packet, or a false end
            raise self._error(f"lost: {_no_answer(seconds)}")
        self.at_end = packet is None
        return packet

    def _decode(self, packet: Any | None) -> list[Any]:
        if packet is None or packet.stream_index != self._audio:
            return []
        try:
            return packet.decode()  # type: ignore[no-any-return]
        except self._av.error.InvalidDataError:  # the first bytes after joining a stream often are
            return []
        except self._av.FFmpegError as error:
            raise self._error(f"cannot be decoded: {error.strerror}") from None

    def _samples(self, frame: Any) -> Samples:
        if self.sample_rate_hz not in (0, frame.sample_rate):
            raise self._error(
                f"the sample rate changed from {self.sample_rate_hz} to {frame.sample_rate} Hz"
            )
        self.sample_rate_hz = frame.sample_rate
        return frame_to_mono(frame)

    def _reason(self, error: Any, seconds: float) -> str:
        if isinstance(error, self._av.error.ExitError):
            return _no_answer(seconds)
        if error.errno == errno.EIO:  # FFmpeg's word for several faults
            return "no such host, or it sent no audio"
        return str(error.strerror)

    def _error(self, what: str) -> SourceError:
        return SourceError(f"{self.address}: {what}")


def frame_to_mono(frame: Any) -> Samples:
    """A frame of PyAV, of any sample format and layout -> float32 (n,) in [-1, 1]."""
    pcm = frame.to_ndarray()  # planar: (channels, n); packed: (1, n * channels)
    channels = frame.layout.nb_channels
    return mix_to_mono(_to_float(pcm.T if frame.format.is_planar else pcm.reshape(-1, channels)))


def _no_answer(seconds: float) -> str:
    return f"no answer within {seconds:g} s"


def _to_float(pcm: NDArray[Any]) -> NDArray[np.float32]:
    if pcm.dtype.kind == "f":
        return pcm.astype(np.float32)
    if pcm.dtype.kind == "u":  # 8 bits, the middle at 128
        return (pcm.astype(np.float32) - np.float32(128.0)) / np.float32(128.0)
    return pcm.astype(np.float32) / np.float32(-float(np.iinfo(pcm.dtype).min))


def _load() -> Any:
    try:
        av = importlib.import_module("av")
    except ImportError as error:
        raise SourceError(_MISSING) from error
    av.logging.set_level(None)  # FFmpeg writes addresses with their passwords
    return av


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
