"""A network stream, or a file in any codec, as a source: FFmpeg through PyAV."""

import errno
import importlib
import threading
import time
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from listener.config.sources import StreamSettings
from listener.detection.audio import AudioChunk, Samples, mix_to_mono
from listener.sources.live import GapDetector, LiveBuffer, PacedReader
from listener.sources.source import SourceError, format_fault

# Segments of a playlist are seconds late by design; only what is far beyond that is lost.
GAP_SECONDS = 10.0
GAP_WINDOW_SECONDS = 20.0
_NOT_IN_NUMPY = ("s64", "s64p")  # sample formats that PyAV does not convert to an array
# PyAV looks for the end of a frame's planes by a null pointer, which there is for so many alone: beyond
# them it reads what lies behind, and the process may be killed. Packed frames have one plane.
_MOST_PLANES = 7
_MISSING = "a source of kind \"stream\" needs PyAV: pip install 'earshot[streams]'"


class StreamSource:
    """Anything that FFmpeg opens: http, https, rtsp, a path; mono at the rate of the stream.

    It is open once its first audio is decoded. Samples are timed by their arrival; a recording is read
    in real time after a lead of some seconds.

    A read may block for `read_timeout_seconds`, and FFmpeg cannot be interrupted: `close` from another
    thread only sets a flag, and the reading thread closes the stream.

    Raises:
        SourceError: PyAV is missing, no answer in time, refused, or no audio that can be decoded. The
            line holds no password and no value of a query.
    """

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._reading_thread = threading.get_ident()
        self._decoder = Decoder(settings)
        gaps = GapDetector(GAP_SECONDS, GAP_WINDOW_SECONDS)
        self._reader = PacedReader(LiveBuffer(settings.name, self._decoder.sample_rate_hz, gaps))

    def read(self, seconds: float) -> AudioChunk | None:
        """The next `seconds` of audio; None after `close`, or at the end with at_end "stop".

        Raises:
            SourceError: nothing came in time, the connection was lost, or the stream ended and
                at_end is "restart".
        """
        chunk = self._reader.read(seconds, self._receive)
        if chunk is None:
            self._decoder.close()
            return None
        if len(chunk.samples) or not self._decoder.at_end:
            return chunk
        if self._settings.at_end == "restart":
            raise SourceError(f"{self._decoder.address}: the stream ended")
        return None

    def close(self) -> None:
        """Disconnect; called from another thread, it takes effect when the current read returns."""
        self._reader.close()
        if threading.get_ident() == self._reading_thread:
            self._decoder.close()

    def _receive(self, deadline: float) -> bool:  # noqa: ARG002 - FFmpeg has its own read timeout
        for samples in self._decoder.receive():
            self._reader.push(samples, self._decoder.sample_rate_hz)
        return not self._decoder.at_end


class Decoder:
    """An open stream whose first audio has arrived, at `sample_rate_hz`; used by one thread.

    Raises:
        SourceError: see `StreamSource`.
    """

    def __init__(self, settings: StreamSettings) -> None:
        self.address = redact(settings.url)
        self.at_end = False
        self.sample_rate_hz = 0  # of decoded frames: twice what the header says for HE-AAC
        self._settings = settings
        self._av = _load_av()
        self._container = self._open()
        self._packets = self._container.demux()
        self._last_samples_at = time.monotonic()
        self._first: list[Samples] = []
        try:
            if not self._container.streams.audio:
                raise self._error("expected audio, found no audio track")
            self._audio = self._container.streams.audio[0]
            while not self._first and not self.at_end:
                self._first = self._receive_packet()
            if not self._first:
                raise self._error("ended before any audio came")
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
        return self._receive_packet()

    def close(self) -> None:
        """Disconnect; may be called twice."""
        self._container.close()

    def _open(self) -> Any:
        url, seconds = self._settings.url, self._settings.open_timeout_seconds
        rtsp = {
            "rtsp_transport": self._settings.rtsp_transport,
            "allowed_media_types": "audio",  # a camera does not even send its video
        }
        options = rtsp if url.startswith(("rtsp:", "rtsps:")) else {}
        began = time.monotonic()
        try:
            timeout = (seconds, self._settings.read_timeout_seconds)
            # a title in another encoding than UTF-8, usual in old files and radio, is no fault
            return self._av.open(url, timeout=timeout, options=options, metadata_errors="replace")
        except self._av.FFmpegError as error:
            late = time.monotonic() - began >= seconds  # in RTSP it looks like invalid data
            reason = _no_answer(seconds) if late else self._reason(error, seconds)
            # without its cause: FFmpeg's message holds the whole address
            raise self._error(f"cannot be opened: {reason}") from None

    def _receive_packet(self) -> list[Samples]:
        samples = []
        for frame in self._decode(self._next_packet()):
            if self.sample_rate_hz not in (0, frame.sample_rate):
                raise self._error(
                    f"the sample rate changed from {self.sample_rate_hz} to {frame.sample_rate} Hz"
                )
            fault = format_fault(frame.layout.nb_channels, frame.sample_rate)
            if fault is not None:
                raise self._error(fault)
            self.sample_rate_hz = frame.sample_rate
            samples.append(frame_to_mono(frame))
        if samples:
            self._last_samples_at = time.monotonic()
        elif time.monotonic() - self._last_samples_at > self._settings.read_timeout_seconds:
            raise self._error(f"no audio for {self._settings.read_timeout_seconds:g} s")
        return samples

    def _next_packet(self) -> Any | None:
        """Of any track: waiting for audio alone, FFmpeg would not return while only video comes."""
        seconds = self._settings.read_timeout_seconds
        began = time.monotonic()
        try:
            packet = next(self._packets, None)
        except self._av.FFmpegError as error:
            raise self._error(f"lost: {self._reason(error, seconds)}") from None
        except IndexError:  # PyAV does not know a track that was not there at the beginning
            raise self._error("lost: a track was added") from None
        if time.monotonic() - began >= seconds:  # cut short: part of a packet, or a false end
            raise self._error(f"lost: {_no_answer(seconds)}")
        self.at_end = packet is None
        return packet

    def _decode(self, packet: Any | None) -> list[Any]:
        if packet is None or packet.stream_index != self._audio.index:
            return []
        try:
            return self._audio.decode(packet)  # type: ignore[no-any-return]
        except self._av.error.InvalidDataError:  # usual in the first bytes after joining a stream
            return []
        except self._av.FFmpegError as error:
            raise self._error(f"cannot be decoded: {error.strerror}") from None

    def _reason(self, error: Any, seconds: float) -> str:
        if isinstance(error, self._av.error.ExitError):
            return _no_answer(seconds)
        if error.errno == errno.EIO:  # FFmpeg's code for several faults
            return "no such host, or it sent no audio"
        return str(error.strerror)

    def _error(self, what: str) -> SourceError:
        return SourceError(f"{self.address}: {what}")


def frame_to_mono(frame: Any) -> Samples:
    """A frame of PyAV, of any sample format and layout -> float32 (n,) in [-1, 1]."""
    planar, channels = frame.format.is_planar, frame.layout.nb_channels
    if frame.format.name in _NOT_IN_NUMPY or (planar and channels > _MOST_PLANES):
        (frame,) = _load_av().AudioResampler(format="dbl").resample(frame)
    pcm = frame.to_ndarray()  # planar: (channels, n); packed: (1, n * channels)
    with np.errstate(over="ignore"):  # a double may be too large: infinite, which counts as silence
        samples = pcm.astype(np.float32)
    if pcm.dtype.kind == "u":  # 8 bits, centred on 128
        samples = (samples - np.float32(128.0)) / np.float32(128.0)
    elif pcm.dtype.kind == "i":
        samples /= np.float32(-float(np.iinfo(pcm.dtype).min))
    planar = frame.format.is_planar
    return mix_to_mono(samples.T if planar else samples.reshape(-1, frame.layout.nb_channels))


def redact(url: str) -> str:
    """The address without user, password, fragment and the values of its query."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # fails where an unquoted slash cuts the password
    except ValueError:
        return f"{url.partition(':')[0]}:..."
    host = parts.netloc.rpartition("@")[2]
    pairs = (pair.partition("=") for pair in parts.query.split("&") if pair)
    query = "&".join(f"{name}=..." if equals else "..." for name, equals, _ in pairs)
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def _no_answer(seconds: float) -> str:
    return f"no answer within {seconds:g} s"


def _load_av() -> Any:
    try:
        av = importlib.import_module("av")
    except ImportError as error:
        raise SourceError(_MISSING) from error
    av.logging.set_level(None)  # FFmpeg logs addresses with their passwords
    return av
