"""How fast a live source takes in what its producer offers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from listener.detection.audio import AudioChunk, Samples
from listener.sources.live import LiveBuffer
from listener.sources.pace import Pace
from listener.sources.source import IDLE_SECONDS, SourceError

LEAD_SECONDS = 10.0  # of a recording are taken at once, the rest at the speed of time
SETTLE_SECONDS = 0.3  # an opening burst is collected whole before its first sample gets a time

Receive = Callable[[float], bool]


class Intake:
    """Paces a source that is asked for its samples, and places them in time.

    The source gives a `receive(deadline)`: it waits for more until the deadline (monotonic
    seconds), pushes what came, and is False when nothing came. When it raises SourceError, what
    came before is still handed over first.
    """

    def __init__(self, buffer: LiveBuffer) -> None:
        self._buffer = buffer
        self._pace = Pace(LEAD_SECONDS)
        self._closed = threading.Event()
        self._settled = False
        self._failure: SourceError | None = None

    def push(self, samples: Samples, sample_rate_hz: int) -> None:
        """Take mono float32 (n,) that arrived just now."""
        now = time.monotonic()
        self._buffer.append(samples, now)
        self._pace.take(len(samples) / sample_rate_hz, now)

    def read(self, seconds: float, receive: Receive) -> AudioChunk | None:
        """What `AudioSource.read` gives; None when closed. At the end of audio chunks are empty.

        Raises:
            SourceError: raised by `receive`, now or before.
        """
        deadline = time.monotonic() + IDLE_SECONDS
        try:
            self._fill(seconds, deadline, receive)
        except SourceError as error:
            self._failure = error
        if self._closed.is_set():
            return None
        if self._failure is not None and not self._buffer.seconds:
            raise self._failure
        return self._buffer.take(seconds)

    def close(self) -> None:
        """End a wait; a `receive` under way on another thread is not cut short."""
        self._closed.set()

    def _fill(self, seconds: float, deadline: float, receive: Receive) -> None:
        if self._failure is not None:
            return
        if not self._settled:
            self._settle(deadline, receive)
        while self._buffer.seconds < seconds and self._in_step(deadline) and receive(deadline):
            pass

    def _settle(self, deadline: float, receive: Receive) -> None:
        while not self._buffer.seconds and receive(deadline):
            pass
        self._settled = self._buffer.seconds > 0
        until = time.monotonic() + SETTLE_SECONDS
        while self._settled and self._in_step(until) and receive(until):
            pass

    def _in_step(self, deadline: float) -> bool:
        """Wait until more may be taken; False if that is not before the deadline."""
        now = time.monotonic()
        wait = self._pace.wait_seconds(now)
        return not self._closed.wait(min(wait, max(0.0, deadline - now))) and now + wait <= deadline
