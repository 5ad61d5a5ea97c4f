"""A microphone as a source, by its stable name, through PortAudio."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from listener.config.sources import MicrophoneSettings
from listener.detection.audio import AudioChunk, mix_to_mono
from listener.sources import portaudio
from listener.sources.live import HoleFinder, LiveBuffer
from listener.sources.portaudio import Inbox
from listener.sources.source import IDLE_SECONDS, SourceError

log = logging.getLogger(__name__)

# `offline` is promised within 3 s of the last sample: this, the closing, and a caller that is busy.
SILENCE_SECONDS = 2.0
OPEN_SECONDS = 5.0
CLOSE_SECONDS = 0.5
HOLE_SECONDS = 0.2
HOLE_WINDOW_SECONDS = 1.0


# Calls into libraries that may never come back.


T = TypeVar("T")


def within(seconds: float, call: Callable[[], T], discard: Callable[[T], object]) -> T:
    """What `call` gives, run on a thread of its own; a result that comes too late is discarded.

    Raises:
        SourceError: raised by `call`.
        TimeoutError: it took longer than `seconds`.
    """
    future: Future[T] = Future()
    arguments = (future, call, discard)
    threading.Thread(target=_run, args=arguments, name="deadline", daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.cancel():
            raise
        return future.result()  # it came just now


def _run(future: Future[T], call: Callable[[], T], discard: Callable[[T], object]) -> None:
    try:
        result = call()
    except SourceError as error:
        if future.set_running_or_notify_cancel():
            future.set_exception(error)
        return
    if future.set_running_or_notify_cancel():
        future.set_result(result)
    else:
        discard(result)


class MicrophoneSource:
    """A capture device at its native rate, the mean of its first two channels.

    PortAudio reports neither an unplugged device nor lost samples reliably: a device without a
    sample for SILENCE_SECONDS is lost, and samples are counted against the monotonic clock.

    Raises:
        SourceError: PortAudio is missing, there is no such device, or it cannot be opened.
    """

    def __init__(self, settings: MicrophoneSettings) -> None:
        self._device = settings.device
        self._label = f"microphone {settings.device or 'default'!r}"
        self._inbox = Inbox()
        self._closed = threading.Event()
        self._stream = self._open()
        holes = HoleFinder(HOLE_SECONDS, HOLE_WINDOW_SECONDS)
        self._live = LiveBuffer(settings.name, round(self._stream.samplerate), holes)

    @property
    def overflows(self) -> int:
        """How often samples were lost: told by the system, found missing, or not read in time."""
        return self._inbox.overflows + self._live.holes_found

    def read(self, seconds: float) -> AudioChunk | None:
        """The next `seconds` of audio; None after `close`.

        Raises:
            SourceError: the device has gone or gives no samples.
        """
        lost_at = self._inbox.last_arrival + SILENCE_SECONDS
        deadline = min(time.monotonic() + IDLE_SECONDS, lost_at)
        self._drain()
        while self._live.seconds < seconds and self._inbox.wait(deadline):
            self._drain()
        if self._closed.is_set():
            return None
        if not self._live.seconds:
            self._check_alive()
        return self._live.take(seconds)

    def close(self) -> None:
        """Close the device; where the sound system hangs, that ends on a thread of its own."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._inbox.end()
        try:
            within(CLOSE_SECONDS, lambda: portaudio.close_stream(self._stream), discard=bool)
        except TimeoutError:
            log.warning("%s: the sound system hangs and is left to itself", self._label)

    def _open(self) -> Any:
        try:
            return within(
                OPEN_SECONDS,
                lambda: portaudio.open_stream(self._device, self._inbox),
                discard=portaudio.close_stream,
            )
        except TimeoutError as error:
            raise SourceError(f"{self._label}: the sound system does not answer") from error

    def _drain(self) -> None:
        for block in self._inbox.take():
            self._live.skip(block.lost)
            self._live.append(mix_to_mono(block.pcm), block.arrived_at)

    def _check_alive(self) -> None:
        if self._inbox.ended:
            raise SourceError(f"{self._label}: the device has gone")
        if time.monotonic() - self._inbox.last_arrival >= SILENCE_SECONDS:
            raise SourceError(f"{self._label}: no sample for {SILENCE_SECONDS:g} s")
