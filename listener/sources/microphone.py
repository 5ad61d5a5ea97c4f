"""A microphone as a source, by its stable name, through PortAudio."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from listener.config.sources import MicrophoneSettings
from listener.detection.audio import AudioChunk, mix_to_mono
from listener.sources import live, portaudio
from listener.sources.source import IDLE_SECONDS, SourceError

log = logging.getLogger(__name__)

# `offline` is promised within 3 s of the last sample: this, closing the device, and a busy caller.
SILENCE_SECONDS = 2.0
OPEN_SECONDS = 5.0
CLOSE_SECONDS = 0.5
GAP_SECONDS = 0.2
GAP_WINDOW_SECONDS = 1.0

T = TypeVar("T")


class MicrophoneSource:
    """A capture device at its native rate, the mean of its first two channels.

    PortAudio reports neither an unplugged device nor lost samples reliably: a device without a sample
    for SILENCE_SECONDS is lost, and samples are counted against the monotonic clock.

    Raises:
        SourceError: PortAudio is missing, there is no such device, or it cannot be opened.
    """

    def __init__(self, settings: MicrophoneSettings) -> None:
        self._label = f"microphone {settings.device or 'default'!r}"
        self._queue = portaudio.BlockQueue()
        self._closed = threading.Event()
        try:
            self._stream = call_within(
                OPEN_SECONDS,
                lambda: portaudio.open_stream(settings.device, self._queue),
                discard=portaudio.close_stream,
            )
        except TimeoutError as error:
            raise SourceError(f"{self._label}: the sound system does not answer") from error
        gaps = live.GapDetector(GAP_SECONDS, GAP_WINDOW_SECONDS)
        self._buffer = live.LiveBuffer(settings.name, round(self._stream.samplerate), gaps)

    @property
    def overflows(self) -> int:
        """How often samples were lost: reported by the system, found missing, or not read in time."""
        return self._queue.overflows + self._buffer.gaps_found

    def read(self, seconds: float) -> AudioChunk | None:
        """The next `seconds` of audio; None after `close`.

        Raises:
            SourceError: the device is gone or delivers no samples.
        """
        lost_at = self._queue.last_arrival + SILENCE_SECONDS
        deadline = min(time.monotonic() + IDLE_SECONDS, lost_at)
        self._drain()
        while self._buffer.seconds < seconds and self._queue.wait(deadline):
            self._drain()
        if self._closed.is_set():
            return None
        if not self._buffer.seconds:
            if self._queue.ended:
                raise SourceError(f"{self._label}: the device is gone")
            if time.monotonic() - self._queue.last_arrival >= SILENCE_SECONDS:
                raise SourceError(f"{self._label}: no sample for {SILENCE_SECONDS:g} s")
        return self._buffer.pop(seconds)

    def close(self) -> None:
        """Close the device; if the sound system hangs, that continues on a thread of its own."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._queue.end()
        try:
            call_within(CLOSE_SECONDS, lambda: portaudio.close_stream(self._stream), discard=bool)
        except TimeoutError:
            log.warning("%s: the sound system hangs and is left alone", self._label)

    def _drain(self) -> None:
        for block in self._queue.pop_all():
            self._buffer.skip(block.lost)
            self._buffer.append(mix_to_mono(block.pcm), block.arrived_at)


def call_within(seconds: float, call: Callable[[], T], discard: Callable[[T], object]) -> T:
    """The result of a library call that may hang, run on a thread of its own; a late one is discarded.

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
        return future.result()  # it finished just now


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
